// Command dashcheck validates Grafana dashboards against Grafana's own schema, including the panels
// that it defines: no unknown field, no required field missing.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func check(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var found dashboard.Dashboard
	if err := found.UnmarshalJSONStrict(raw); wrong(err) {
		return err
	}
	if err := checkFields(raw); err != nil {
		return err
	}
	if newest := dashboard.NewDashboard().SchemaVersion; found.SchemaVersion != newest {
		return fmt.Errorf("schemaVersion is %d, the schema's is %d", found.SchemaVersion, newest)
	}
	return found.Validate()
}

// checkFields validates the panels' field configurations, which the schema itself doesn't.
func checkFields(raw []byte) error {
	var panels struct {
		Panels []struct {
			Title       string
			FieldConfig json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &panels); err != nil {
		return err
	}
	for _, panel := range panels.Panels {
		var found dashboard.FieldConfigSource
		if err := found.UnmarshalJSONStrict(panel.FieldConfig); wrong(err) {
			return fmt.Errorf("%s: fieldConfig: %w", panel.Title, err)
		}
	}
	return nil
}

// wrong distinguishes an error from the empty list of errors that the schema returns for success.
func wrong(err error) bool {
	var list cog.BuildErrors
	return err != nil && !(errors.As(err, &list) && len(list) == 0)
}

func main() {
	plugins.RegisterDefaultPlugins()
	failed := false
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
