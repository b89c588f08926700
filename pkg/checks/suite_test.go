// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// The rules of what a check says of itself. Those of what it does are below,
// and its fixtures in testdata.
func TestSuiteMetadata(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	var before []*checks.Check
	for _, c := range checks.Suite() {
		t.Run(c.Name, func(t *testing.T) {
			if !name.MatchString(c.Name) {
				t.Error("the name is not in kebab-case; it is a key of the configuration and an anchor of the documentation")
			}
			if slices.ContainsFunc(before, func(b *checks.Check) bool { return b.Name == c.Name }) {
				t.Error("the name is taken by an earlier check")
			}
			if !oneSentence(c.Summary) {
				t.Errorf("Summary is not one sentence that begins with a capital and ends in a period: %q", c.Summary)
			}
			if !strings.HasSuffix(c.Detection, ".") {
				t.Errorf("Detection does not say in sentences how the failure is seen: %q", c.Detection)
			}
			if !imperative(c.Remedy) {
				t.Errorf("Remedy has no sentence that begins with one of %s: %q", strings.Join(imperatives(), ", "), c.Remedy)
			}
			if c.Default < guard.Off || c.Default > guard.Enforce {
				t.Error("Default is no policy; a forgotten one refuses nothing")
			}
			if c.When == 0 || c.When > guard.Add|guard.Del|guard.Verify|guard.Status|guard.Node {
				t.Errorf("When is %d; the check would never run, or at no known stage", c.When)
			}
			if c.Probe == nil {
				t.Error("there is no Probe")
			}
			if c.Code != 0 && c.Code != 7 && c.Code != 8 && c.Code != 11 {
				t.Errorf("Code %d is none of those that the design gives to checks; zero stands for 100", c.Code)
			}
			if c.StatusCode != 0 && (c.StatusCode != guard.CodeUnavailable || c.When&guard.Status == 0) {
				t.Errorf("StatusCode is %d, with the stages %s", c.StatusCode, c.When)
			}
			if err := documented(c); err != nil {
				t.Error(err)
			}
			if c.Quiet && c.Repair == nil {
				t.Error("Quiet is said of a repair, and there is none")
			}
			for _, need := range c.Needs {
				if !slices.Contains(before, need) {
					t.Errorf("it needs %s, which does not stand earlier in the suite", need.Name)
					continue
				}
				for _, further := range need.Needs { // a check that was skipped has no finding
					if !slices.Contains(c.Needs, further) {
						t.Errorf("it needs %s, which needs %s; name that as well", need.Name, further.Name)
					}
				}
			}
		})
		before = append(before, c)
	}
}

// documented reports what is wrong with the options of a check.
func documented(c *checks.Check) error {
	if c.Options == nil {
		return nil
	}
	if zero := reflect.New(reflect.TypeOf(c.Options).Elem()).Interface(); !reflect.DeepEqual(c.Options, zero) {
		return fmt.Errorf("Options is not the zero struct: %+v", c.Options)
	}
	keys := map[string]bool{"policy": true, "repair": true}
	defaults := map[string]json.RawMessage{}
	for _, o := range c.Options.Keys() {
		if o.Key == "" || keys[o.Key] {
			return fmt.Errorf("the key %q is taken", o.Key)
		}
		keys[o.Key] = true
		if !strings.HasSuffix(o.Meaning, ".") {
			return fmt.Errorf("Meaning of the option %s is not one or more sentences: %q", o.Key, o.Meaning)
		}
		defaults[o.Key] = json.RawMessage(o.Value.Default())
	}
	text, err := json.Marshal(map[string]any{c.Name: defaults})
	if err != nil {
		return err
	}
	set, err := guard.ParseSettings(nil, text, []guard.Declaration{c.Declaration()})
	if err != nil {
		return fmt.Errorf("the options cannot be set to their own defaults %s: %w", text, err)
	}
	if got, want := fmt.Sprintf("%+v", set.Options[0]), fmt.Sprintf("%+v", guard.NewOptions(c.Options)); got != want {
		return fmt.Errorf("set to the defaults that the documentation states, the options are %s; without them they are %s", got, want)
	}
	return nil
}

// oneSentence allows a colon and a semicolon within.
func oneSentence(s string) bool {
	return regexp.MustCompile(`^[A-Z][^\n]*[^.\s]\.$`).MatchString(s) && !regexp.MustCompile(`[.!?]\s`).MatchString(s)
}

// imperatives are the words that the sentence of a remedy may begin with. Add yours.
func imperatives() []string {
	return []string{"Let", "Bring", "Delete", "Install", "Compare", "Set", "Add", "Remove", "Check", "Find", "Allow", "Keep", "Mark", "Run", "Stop", "Raise", "Give", "Put", "Tell"}
}

// imperative: a remedy may first say what was not done, and then must say what
// to do. That is as near to grammar as a test gets.
func imperative(s string) bool {
	return strings.HasSuffix(s, ".") && slices.ContainsFunc(regexp.MustCompile(`(?:^|\. )(\w+) `).FindAllStringSubmatch(s, -1), func(m []string) bool {
		return slices.Contains(imperatives(), m[1])
	})
}

// The rules must be able to fail.
func TestSuiteRulesCanFail(t *testing.T) {
	for _, s := range []string{"", "no capital.", "No period", "Two. Sentences.", "Two lines\nof it.", "Ellipsis..", "A gap ."} {
		if oneSentence(s) {
			t.Errorf("%q passes for one sentence", s)
		}
	}
	for _, s := range []string{"", "The node is broken.", "Bring it back", "Nothing was done. The node is broken."} {
		if imperative(s) {
			t.Errorf("%q passes for a remedy", s)
		}
	}
}

func TestSuiteLists(t *testing.T) {
	var names []string
	for _, c := range checks.Suite() {
		names = append(names, c.Name)
	}
	if !slices.Equal(checks.Names(), names) {
		t.Errorf("Names returns %q, want %q", checks.Names(), names)
	}
	for _, c := range checks.HeadSuite() {
		if !slices.Contains(checks.Suite(), c) {
			t.Errorf("%s is of the head suite only, so that its name is no key of the configuration", c.Name)
		}
		for _, need := range c.Needs {
			if !slices.Contains(checks.HeadSuite(), need) {
				t.Errorf("%s of the head suite needs %s, which does not run there", c.Name, need.Name)
			}
		}
		if c.When&guard.Add == 0 {
			t.Errorf("%s of the head suite does not run at ADD", c.Name)
		}
	}
}

// dark is a world of which nothing can be read.
func dark() *checks.Target {
	trouble := errors.New("the lamp is out")
	view := netstate.Unreadable{Err: trouble}
	return &checks.Target{
		IfName:   "eth0",
		Netns:    &netstate.Netns{Path: "/run/netns/pod", Err: trouble},
		Pod:      view,
		Node:     view,
		Want:     checks.Interface{MAC: "0a:58:0a:f4:01:07", Addrs: []netip.Prefix{netip.MustParsePrefix("10.244.1.7/24")}},
		Recorded: 1,
		Cookie:   func() (uint64, error) { return 0, trouble },
		Conf:     darkConf(),
	}
}

// darkConf names a conf dir that cannot be read.
func darkConf() checks.Conf {
	return checks.Conf{Dir: "/dev/null", Network: "a", Runtime: conflist.NewRuntime(conflist.Containerd)}
}

// healthyConf is a conf dir as it should be.
func healthyConf(t *testing.T) checks.Conf {
	t.Helper()
	conf := checks.Conf{
		Dir:      t.TempDir(),
		Runtime:  conflist.NewRuntime(conflist.Containerd),
		Loopback: func() (checks.Loopback, error) { return checks.Loopback{Ours: true}, nil },
	}
	nothing := func(context.Context) ([]guard.Finding, error) { return nil, nil }
	conf.Inspect = checks.Inspections{Runtime: nothing, Chain: nothing, Pods: nothing, Changes: nothing}
	conf.Runtime.BinDirs = []string{t.TempDir()}
	for path, text := range map[string]string{
		filepath.Join(conf.Dir, "10-a.conflist"):            `{"name": "a", "plugins": [{"type": "bridge"}, {"type": "cni-guard"}]}`,
		filepath.Join(conf.Runtime.BinDirs[0], "cni-guard"): "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return conf
}

// What cannot be read has not passed, at whatever stage.
func TestSuiteInTheDark(t *testing.T) {
	for _, c := range checks.Suite() {
		for _, stage := range stages(c) {
			t.Run(c.Name+"/"+stage.String(), func(t *testing.T) {
				o := alone(t, c, stage, dark())
				if o.State != guard.Unknown && o.State != guard.Failed {
					t.Errorf("the check has %v in a world of which nothing can be read", o.State)
				}
				if o.Err != nil && strings.Contains(o.Err.Error(), "panicked") {
					t.Error(o.Err)
				}
				if o.Refuses() {
					t.Errorf("a pod is refused for what could not be read: %v", o.Findings)
				}
			})
		}
	}
}

// Where all is well, one thing that cannot be read is no finding.
func TestSuiteInTwilight(t *testing.T) {
	const healthy = `
link lo index 1 up
addr 127.0.0.1/8 dev lo
addr ::1/128 dev lo
link eth0 index 2 kind veth mac 0a:58:0a:f4:01:07 peer 17 up
addr 10.244.1.7/24 dev eth0
addr fd00:10:244::7/64 dev eth0
sysctl net/ipv6/conf/lo/disable_ipv6 = 0
`
	const healthyNode = `
link lo index 1 up
addr 127.0.0.1/8 dev lo
link veth1 index 17 kind veth peer 2 up
sysctl net/ipv6/conf/all/forwarding = 1
`
	conf := healthyConf(t)
	for _, method := range []string{"", "Link", "Links", "Addrs", "Routes", "Lookup", "Sysctl"} {
		fail := ""
		if method != "" {
			fail = "fail " + method + " = the lamp is out\n"
		}
		view, podErr := netstate.Parse(healthy + fail)
		node, nodeErr := netstate.Parse(healthyNode + fail)
		if err := errors.Join(podErr, nodeErr); err != nil {
			t.Fatal(err)
		}
		for _, c := range checks.Suite() {
			for _, recorded := range []uint64{0, 7} {
				o := alone(t, c, c.When&-c.When, &checks.Target{
					IfName:   "eth0",
					Netns:    &netstate.Netns{Path: "/run/netns/pod", Kind: netstate.Sandbox},
					Pod:      view,
					Node:     node,
					Conf:     conf,
					Want:     checks.Interface{MAC: "0a:58:0a:f4:01:07", Addrs: []netip.Prefix{netip.MustParsePrefix("fd00:10:244::7/64")}},
					Recorded: recorded,
					Cookie:   func() (uint64, error) { return 7, nil },
				})
				if o.State == guard.Failed || method == "" && o.State != guard.Passed && o.State != guard.Skipped {
					t.Errorf("%s has %v where %q cannot be read: %v, error %v", c.Name, o.State, method, o.Findings, o.Err)
				}
			}
		}
	}
}

// Without a pod there is nothing of a pod to look at.
func TestSuiteWithoutPod(t *testing.T) {
	for _, c := range checks.Suite() {
		for _, stage := range stages(c) {
			if stage&(guard.Status|guard.Node) == 0 {
				continue
			}
			t.Run(c.Name+"/"+stage.String(), func(t *testing.T) {
				fake, err := netstate.Parse("link lo index 1 up\naddr 127.0.0.1/8 dev lo\nsysctl net/ipv4/ip_forward = 1\nsysctl net/ipv4/conf/default/forwarding = 1\n")
				if err != nil {
					t.Fatal(err)
				}
				if o := alone(t, c, stage, &checks.Target{Node: fake, Conf: healthyConf(t)}); o.State != guard.Passed && o.State != guard.Skipped {
					t.Errorf("the check has %v, error %v, on a healthy node without a pod", o.State, o.Err)
				}
				unreadable := netstate.Unreadable{Err: errors.New("the lamp is out")}
				o := alone(t, c, stage, &checks.Target{Node: unreadable, Conf: darkConf()})
				if o.State != guard.Unknown || strings.Contains(o.Err.Error(), "panicked") {
					t.Errorf("the check has %v, error %v, on a node that cannot be read", o.State, o.Err)
				}
			})
		}
	}
}

// A repair without anything to read gives an error, and does not panic.
func TestSuiteRepairsInTheDark(t *testing.T) {
	for _, c := range checks.Suite() {
		if c.Repair == nil {
			continue
		}
		if err := c.Repair(t.Context(), dark()); err == nil {
			t.Errorf("%s says that it repaired what it cannot reach", c.Name)
		}
	}
}

// No answer may prevent the repair that it asks for: an error of STATUS makes the
// node NotReady, and then no ADD comes. So each check that answers STATUS and can
// repair must have a fixture that it is repaired there, which the harness plays on
// the fake and on the kernel.
func TestSuiteRepairsAtStatus(t *testing.T) {
	repaired := regexp.MustCompile(`(?ms)^-- stage --\nSTATUS$.*^-- (node|pod)\.repaired --$`)
	for _, c := range checks.CallSuite() {
		if c.Repair == nil || c.When&guard.Status == 0 {
			continue
		}
		fixtures, err := filepath.Glob(filepath.Join("testdata", c.Name, "*.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(fixtures, func(path string) bool {
			text, err := os.ReadFile(path)
			return err == nil && repaired.Match(text)
		}) {
			t.Errorf("%s answers STATUS and repairs, and no fixture has the stage STATUS and a .repaired section", c.Name)
		}
	}
}

// stages returns the stages of a check one by one.
func stages(c *checks.Check) []guard.Stage {
	var all []guard.Stage
	for _, s := range []guard.Stage{guard.Add, guard.Del, guard.Verify, guard.Status, guard.Node} {
		if c.When&s != 0 {
			all = append(all, s)
		}
	}
	return all
}

// alone runs the check by the engine, but not those that it needs.
func alone(t *testing.T, c *checks.Check, stage guard.Stage, target *checks.Target) guard.Outcome {
	t.Helper()
	check := *c
	check.Needs = nil
	return guard.Run(t.Context(), []*checks.Check{&check}, stage, guard.Settings{}, target).Outcomes[0]
}

// An ID stays with its check: alerts and runbooks refer to it.
func TestIDs(t *testing.T) {
	b, err := os.ReadFile("ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	registered := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if registered[id] != "" {
			t.Errorf("ids.txt has %s twice", id)
		}
		registered[id] = name
	}
	for _, c := range checks.Suite() {
		if registered[c.ID] != c.Name {
			t.Errorf("check %s has the ID %q, which ids.txt gives to %q", c.Name, c.ID, registered[c.ID])
		}
	}
}
