// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cni-guard/cni-guard/cmd/internal/report"
)

//go:generate go test -run TestSchemaIsCurrent . -update

const schemaFile = "../../../docs/doctor.schema.json"

var update = flag.Bool("update", false, "write the schema")

// schemaOf returns the JSON schema of the report, with the comments of its Go types.
func schemaOf(t *testing.T) []byte {
	t.Helper()
	const here = "github.com/cni-guard/cni-guard/cmd/internal/report"
	r := jsonschema.Reflector{AllowAdditionalProperties: true} // a later version may add keys
	for _, dir := range []string{"./", "../../../pkg/guard"} {
		if err := r.AddGoComments(here, dir); err != nil {
			t.Fatal(err)
		}
	}
	schema := r.Reflect(&report.Report{})
	schema.ID = "https://github.com/cni-guard/cni-guard/docs/doctor.schema.json"
	schema.Title = "guardctl doctor -o json"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(schema); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSchemaIsCurrent(t *testing.T) {
	want := schemaOf(t)
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(schemaFile); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is stale (error %v); run: make generate", schemaFile, err)
	}
}

// compiled returns the schema of docs.
func compiled(t *testing.T) *validator.Schema {
	t.Helper()
	s, err := validator.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A report with all keys, and one with as few as possible, are valid; a document that
// lacks a key or has another type is not.
func TestSchema(t *testing.T) {
	schema := compiled(t)
	few := report.Report{Areas: []report.Area{}, Checks: []report.Check{}, Incidents: []report.Incident{}, Runtime: report.Runtime{BinDirs: []string{}}}
	for name, r := range map[string]report.Report{"sample": sample(), "few": few} {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		document, err := validator.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		for from, to := range map[string]string{`"schemaVersion":`: `"schemaversion":`, `"exitCode":`: `"exitCode":"`, `"checks":[`: `"Checks":[`} {
			broken := strings.ReplaceAll(string(text), from, to)
			if to == `"exitCode":"` {
				broken = strings.Replace(string(text), `"exitCode":`, `"exitCode":"1","x":`, 1)
			}
			document, err := validator.UnmarshalJSON(strings.NewReader(broken))
			if err != nil {
				t.Fatal(err)
			}
			if schema.Validate(document) == nil {
				t.Errorf("%s: the schema accepts %s", name, broken)
			}
		}
	}
}

// All keys of the document are in lower camel case.
func TestKeys(t *testing.T) {
	text, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				if strings.ContainsAny(key, "_- ") || strings.ToLower(key[:1]) != key[:1] {
					t.Errorf("key %q is not in lower camel case", key)
				}
				walk(value)
			}
		case []any:
			for _, value := range v {
				walk(value)
			}
		}
	}
	walk(document)
}
