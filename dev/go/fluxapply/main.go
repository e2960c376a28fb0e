// Applies and deletes objects as Flux's kustomize-controller does, with the same engine.
//
// Usage: KUBECONFIG=... fluxapply [-as USER] [-force] < input.json, with a JSON object: `apply` and
// `delete` are lists of objects. It prints a JSON object: the action of each object by its name, and
// the error if one was refused, in which case nothing is applied or deleted.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/pkg/ssa"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Input is what to apply, and then to delete.
type Input struct {
	Apply  []*unstructured.Unstructured `json:"apply"`
	Delete []*unstructured.Unstructured `json:"delete"`
}

// Report is the output.
type Report struct {
	Actions map[string]string `json:"actions"`
	Error   string            `json:"error"`
}

func main() {
	user := flag.String("as", "", "the user to impersonate, as spec.serviceAccountName of a Kustomization does")
	force := flag.Bool("force", false, "recreate objects whose immutable fields change, as spec.force does")
	flag.Parse()
	log.SetLogger(logr.Discard())
	report, err := run(*user, *force)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		os.Exit(2)
	}
}

func run(user string, force bool) (*Report, error) {
	var input Input
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	config.Impersonate.UserName = user
	kube, err := client.New(config, client.Options{})
	if err != nil {
		return nil, err
	}
	owner := ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"}
	manager := ssa.NewResourceManager(kube, nil, owner)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	report := &Report{Actions: map[string]string{}}
	report.Error = reconcile(ctx, manager, input, force, report.Actions)
	return report, nil
}

func reconcile(ctx context.Context, manager *ssa.ResourceManager, input Input, force bool, actions map[string]string) string {
	manager.SetOwnerLabels(input.Apply, "models", "flux-system")
	options := ssa.DefaultApplyOptions()
	options.Force = force
	changes, err := manager.ApplyAllStaged(ctx, input.Apply, options)
	if err != nil {
		return err.Error()
	}
	deleted, err := manager.DeleteAll(ctx, input.Delete, ssa.DefaultDeleteOptions())
	if err != nil {
		return err.Error()
	}
	for _, each := range append(changes.Entries, deleted.Entries...) {
		actions[each.ObjMetadata.Name] = each.Action.String()
	}
	return ""
}
