// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A fixture is a parsed fixture file.
type fixture struct {
	name string

	target                    target
	stage                     guard.Stage // zero: the check's first
	node, pod                 string
	want                      outcome
	nodeRepaired              string
	podRepaired               string
	comparesNode, comparesPod bool // there is such a .repaired section
	setup                     string
	files                     map[string]string // by the name of their section
}

// repairs reports whether Repair is to remove the finding.
func (f *fixture) repairs() bool { return f.comparesNode || f.comparesPod }

// An outcome is what a probe said, as want has it. Two outcomes are the same
// where the lines are and, of an unknown or a skip, one text contains the other's.
type outcome struct {
	findings []string
	unknown  string // part of the error; "" where the probe could tell
	skipped  string // part of the reason; "" where the check applies
}

func (o outcome) passes() bool { return o.unknown == "" && o.skipped == "" && len(o.findings) == 0 }
func (o outcome) fails() bool  { return len(o.findings) > 0 }

// String returns the text of a want section.
func (o outcome) String() string {
	switch {
	case o.unknown != "":
		return "unknown: " + o.unknown
	case o.skipped != "":
		return "skipped: " + o.skipped
	case len(o.findings) == 0:
		return "a pass"
	}
	return strings.Join(o.findings, "\n")
}

// expand replaces the names of directories with their paths below root.
func (o outcome) expand(root string) outcome {
	o.unknown, o.skipped = expand(o.unknown, root), expand(o.skipped, root)
	o.findings = slices.Clone(o.findings)
	for i := range o.findings {
		o.findings[i] = expand(o.findings[i], root)
	}
	return o
}

// healthy is the namespace that has no section of its own.
const healthy = "link lo index 1 up\naddr 127.0.0.1/8 dev lo\n"

// load reads a fixture file. A section or key that it does not know is an
// error: a slip of the pen must not leave a check untested.
func load(path string) (*fixture, error) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		return nil, fmt.Errorf("read fixture: %w", err)
	}
	f := &fixture{
		name:   strings.TrimSuffix(filepath.Base(path), ".txtar"),
		target: target{netns: "sandbox", ifName: "eth0", recorded: "none"},
		node:   healthy,
		pod:    healthy,
		files:  map[string]string{},
	}
	seen := map[string]bool{}
	for _, section := range archive.Files {
		if seen[section.Name] {
			return nil, fmt.Errorf("read fixture %s: section %s is there twice", path, section.Name)
		}
		seen[section.Name] = true
		if err := f.section(section.Name, string(section.Data)); err != nil {
			return nil, fmt.Errorf("read fixture %s: section %s: %w", path, section.Name, err)
		}
	}
	if !seen["want"] {
		return nil, fmt.Errorf("read fixture %s: no section want", path)
	}
	if f.repairs() && !f.want.fails() {
		return nil, fmt.Errorf("read fixture %s: there is nothing to repair where want has no finding", path)
	}
	return f, nil
}

func (f *fixture) section(name, text string) (err error) {
	switch name {
	case "target":
		f.target, err = parseTarget(f.target, text)
	case "stage":
		f.stage, err = parseStage(strings.TrimSpace(text))
	case "node":
		f.node, err = normal(text)
	case "pod":
		f.pod, err = normal(text)
	case "node.repaired":
		f.nodeRepaired, err = normal(text)
		f.comparesNode = true
	case "pod.repaired":
		f.podRepaired, err = normal(text)
		f.comparesPod = true
	case "want":
		f.want, err = parseWant(text)
	case "setup":
		f.setup = text
	default:
		if !isFile(name) {
			return errors.New("there is no such section")
		}
		f.files[name] = text
	}
	return err
}

// normal returns the text in the form in which the Fake that it describes prints it.
func normal(text string) (string, error) {
	fake, err := netstate.Parse(text)
	if err != nil {
		return "", err
	}
	return fake.String(), nil
}

func parseWant(text string) (outcome, error) {
	var o outcome
	for line := range strings.Lines(strings.ReplaceAll(text, "$NETNS", netnsPath)) {
		line = strings.TrimSpace(line)
		if part, ok := strings.CutPrefix(line, "unknown:"); ok {
			if o.unknown = strings.TrimSpace(part); o.unknown == "" {
				return o, errors.New("an unknown wants a part of its error")
			}
		} else if part, ok := strings.CutPrefix(line, "skipped:"); ok {
			if o.skipped = strings.TrimSpace(part); o.skipped == "" {
				return o, errors.New("skipped wants a part of its reason")
			}
		} else if line != "" {
			o.findings = append(o.findings, line)
		}
	}
	if (o.unknown != "" || o.skipped != "") && len(o.findings) > 0 || o.unknown != "" && o.skipped != "" {
		return o, errors.New("want findings, an unknown or a skip, and only one of these")
	}
	return o, nil
}

func parseStage(text string) (guard.Stage, error) {
	for _, stage := range []guard.Stage{guard.Add, guard.Del, guard.Verify, guard.Status, guard.Node} {
		if text == stage.String() {
			return stage, nil
		}
	}
	return 0, fmt.Errorf("%q is no stage", text)
}
