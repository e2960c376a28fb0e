// Compiles the CEL of objects as the API server of a Kubernetes version does, so that a function that
// this version lacks is an error, and a rule of a definition whose estimated cost it refuses.
//
// Usage: celcheck 1.30 < objects.json, with a JSON list of CustomResourceDefinitions,
// ValidatingAdmissionPolicies and webhook configurations; others are ignored. It prints a JSON object:
// the number of expressions, and for each error its place and text.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	celgo "github.com/google/cel-go/cel"
	admission "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	crd "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Report is the output.
type Report struct {
	Expressions int      `json:"expressions"`
	Errors      []string `json:"errors"`
}

// expression is what the compiler asks for.
type expression struct {
	name    string
	text    string
	returns *celgo.Type
}

func (e *expression) GetName() string            { return e.name }
func (e *expression) GetExpression() string      { return e.text }
func (e *expression) ReturnTypes() []*celgo.Type { return []*celgo.Type{e.returns} }

// costLimit is StaticEstimatedCostLimit of the validation of definitions: for one rule.
const costLimit = 10_000_000

// boundsIntOrString is the first version that estimates the size of an int-or-string by its maxLength.
var boundsIntOrString = version.MajorMinor(1, 34)

type checker struct {
	version *version.Version
	env     *environment.EnvSet
	report  Report
}

func main() {
	if len(os.Args) != 2 {
		stop("usage: celcheck VERSION < objects.json")
	}
	wanted, err := version.ParseGeneric(os.Args[1])
	if err != nil {
		stop(err.Error())
	}
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		stop(err.Error())
	}
	check := &checker{version: wanted, env: environment.MustBaseEnvSet(wanted), report: Report{Errors: []string{}}}
	for _, object := range objects {
		if err := check.object(object); err != nil {
			stop(err.Error())
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(check.report); err != nil {
		stop(err.Error())
	}
}

func stop(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}

func (c *checker) object(raw json.RawMessage) error {
	var kind struct{ Kind string }
	if err := json.Unmarshal(raw, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "CustomResourceDefinition":
		return c.definition(raw)
	case "ValidatingAdmissionPolicy":
		return c.policy(raw)
	case "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration":
		return c.webhooks(raw)
	}
	return nil
}

func (c *checker) result(place string, err error) {
	c.report.Expressions++
	if err != nil {
		c.report.Errors = append(c.report.Errors, place+": "+err.Error())
	}
}

func (c *checker) definition(raw json.RawMessage) error {
	var object crd.CustomResourceDefinition
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	for _, each := range object.Spec.Versions {
		var props apiextensions.JSONSchemaProps
		if err := crd.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(each.Schema.OpenAPIV3Schema, &props, nil); err != nil {
			return err
		}
		root, err := schema.NewStructural(&props)
		if err != nil {
			return err
		}
		if c.version.LessThan(boundsIntOrString) {
			forgetBounds(root)
		}
		if err := c.rules(object.Name, model.WithTypeAndObjectMeta(root), true, 1); err != nil {
			return err
		}
	}
	return nil
}

// forgetBounds removes the bound of each int-or-string of a schema and of all within it.
func forgetBounds(s *schema.Structural) {
	if s.XIntOrString && s.ValueValidation != nil {
		s.ValueValidation.MaxLength = nil
	}
	for name, property := range s.Properties {
		forgetBounds(&property)
		s.Properties[name] = property
	}
	if s.Items != nil {
		forgetBounds(s.Items)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		forgetBounds(s.AdditionalProperties.Structural)
	}
}

// rules compiles the rules of a schema, of which an object has so many, and of all within it. Zero is
// an unknown number.
func (c *checker) rules(place string, s *schema.Structural, isRoot bool, times uint64) error {
	declared := model.SchemaDeclType(s, isRoot)
	results, err := schemacel.Compile(s, declared, celconfig.PerCallLimit, c.env, schemacel.NewExpressionsEnvLoader())
	if err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	for number, result := range results {
		at := fmt.Sprintf("%s, rule %d", place, number)
		c.result(at, orNil(result.Error))
		if factor := cost(result, times) / costLimit; factor > 1 {
			c.report.Errors = append(c.report.Errors, fmt.Sprintf("%s: its estimated cost is %.3f times the limit", at, factor))
		}
		if s.XValidations[number].MessageExpression != "" {
			c.result(at+", message", orNil(result.MessageExpressionError))
		}
	}
	for name, property := range s.Properties {
		if err := c.rules(place+"."+name, &property, false, times); err != nil {
			return err
		}
	}
	if s.Items != nil {
		if err := c.rules(place+"[]", s.Items, false, product(times, maxItems(s))); err != nil {
			return err
		}
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		return c.rules(place+"{}", s.AdditionalProperties.Structural, false, product(times, maxProperties(s)))
	}
	return nil
}

func cost(result schemacel.CompilationResult, times uint64) float64 {
	if times == 0 {
		times = result.MaxCardinality
	}
	return float64(result.MaxCost) * float64(times)
}

// product is zero, an unknown number, if one of them is.
func product(times uint64, bound *int64) uint64 {
	if bound == nil {
		return 0
	}
	return times * uint64(*bound)
}

func maxItems(s *schema.Structural) *int64 {
	if s.ValueValidation == nil {
		return nil
	}
	return s.ValueValidation.MaxItems
}

func maxProperties(s *schema.Structural) *int64 {
	if s.ValueValidation == nil {
		return nil
	}
	return s.ValueValidation.MaxProperties
}

func (c *checker) policy(raw json.RawMessage) error {
	var object admission.ValidatingAdmissionPolicy
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	compiler, err := cel.NewCompositedCompiler(c.env)
	if err != nil {
		return err
	}
	options := cel.OptionalVariableDeclarations{HasParams: object.Spec.ParamKind != nil, HasAuthorizer: true}
	compile := func(place string, text string, returns *celgo.Type) {
		result := compiler.CompileCELExpression(&expression{text: text, returns: returns}, options, environment.NewExpressions)
		c.result(object.Name+", "+place, orNil(result.Error))
	}
	for _, each := range object.Spec.Variables {
		variable := &expression{name: each.Name, text: each.Expression, returns: celgo.AnyType}
		result := compiler.CompileAndStoreVariable(variable, options, environment.NewExpressions)
		c.result(object.Name+", variable "+each.Name, orNil(result.Error))
	}
	for _, each := range object.Spec.MatchConditions {
		compile("condition "+each.Name, each.Expression, celgo.BoolType)
	}
	for number, each := range object.Spec.Validations {
		place := fmt.Sprintf("validation %d", number)
		compile(place, each.Expression, celgo.BoolType)
		if each.MessageExpression != "" {
			compile(place+", message", each.MessageExpression, celgo.StringType)
		}
	}
	return nil
}

func (c *checker) webhooks(raw json.RawMessage) error {
	// Both kinds have conditions at the same place.
	var object admission.ValidatingWebhookConfiguration
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	compiler := cel.NewCompiler(c.env)
	options := cel.OptionalVariableDeclarations{HasAuthorizer: true}
	for _, webhook := range object.Webhooks {
		for _, each := range webhook.MatchConditions {
			condition := &expression{text: each.Expression, returns: celgo.BoolType}
			result := compiler.CompileCELExpression(condition, options, environment.NewExpressions)
			c.result(webhook.Name+", condition "+each.Name, orNil(result.Error))
		}
	}
	return nil
}

// orNil makes a nil pointer a nil error.
func orNil(err *apiservercel.Error) error {
	if err == nil {
		return nil
	}
	return err
}
