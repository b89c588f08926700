// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/conformance/bundle"
	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// incident is one failure of a node's pod network.
type incident struct {
	name  string
	title string
	play  func(context.Context, *rig) error
	// lacking returns why this machine cannot play the incident, or "".
	lacking func() string
}

// incidents returns all incidents in the order of the table.
func incidents() []incident {
	return []incident{lostSandbox(), rogueFile(), forwardingOff(), bridgeNetfilterOff(), bridgePortTaken(), coldTunnel()}
}

func findIncident(name string) (incident, error) {
	var names []string
	for _, i := range incidents() {
		if i.name == name {
			return i, nil
		}
		names = append(names, i.name)
	}
	return incident{}, fmt.Errorf("unknown incident %q: want one of %s", name, strings.Join(names, ", "))
}

// outcome is the result of a run.
type outcome struct {
	Lacking string   `json:"lacking,omitempty"` // why the incident was not played
	Damage  []string `json:"damage,omitempty"`  // clauses; none if nothing was damaged
	Health  []string `json:"health,omitempty"`  // clauses: what works
	Events  []string `json:"events,omitempty"`  // what happened, in order
}

func (o *outcome) read(file string) error {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, o)
	}
	if err != nil {
		return fmt.Errorf("read outcome: %w", err)
	}
	return nil
}

// rig is a private node with a runtime for one run.
type rig struct {
	ref, guard string // directories of plugins; guard is "" without cni-guard
	guardctl   string // that judges the node afterwards; "" for none
	dir        string // of the runtime
	node       *node.Node
	outcome
}

// play plays the incident on the node of this process.
func (r *rig) play(ctx context.Context, i incident) (outcome, error) {
	if i.lacking != nil {
		if why := i.lacking(); why != "" {
			return outcome{Lacking: why}, nil
		}
	}
	var err error
	if r.node, err = node.Here(); err != nil {
		return outcome{}, err
	}
	defer r.node.Close()
	if r.dir, err = os.MkdirTemp("", "cni-guard-demo-"); err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(r.dir)
	if err = i.play(ctx, r); err == nil {
		err = r.judge(ctx)
	}
	return r.outcome, errors.Join(err, r.noteRepairs())
}

// judge has guardctl doctor judge the node, and a bundle of it on another node. It is an
// error unless it finds the same.
func (r *rig) judge(ctx context.Context) error {
	if r.guardctl == "" {
		return nil
	}
	binDirs := r.ref
	if r.guard != "" {
		binDirs = r.guard + ":" + r.ref
	}
	_, err := bundle.Node{
		Guardctl: r.guardctl,
		Flags:    []string{"--runtime", "containerd", "--conf-dir", filepath.Join(r.dir, "conf"), "--bin-dir", binDirs, "--record-dir", r.dir},
	}.Judge(ctx)
	return err
}

// noteRepairs notes the incidents that cni-guard repaired.
func (r *rig) noteRepairs() error {
	file, err := os.Open(filepath.Join(r.dir, "state", "events.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e struct{ State, Msg, Evidence string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return err
		}
		if e.State == "repaired" {
			r.event("cni-guard: %s", strings.TrimSuffix(e.Msg+"; "+e.Evidence, "; "))
		}
	}
	return nil
}

// runtime returns a runtime for a network of the plugin and, with cni-guard, of
// cni-guard after it, which is to apply containerd's rules of selection.
func (r *rig) runtime(primary chain.Plugin) (*chain.Runtime, error) {
	if r.guard == "" {
		return chain.NewRuntime(r.dir, []string{r.ref}, io.Discard, "1.0.0", primary)
	}
	return chain.NewRuntime(r.dir, []string{r.guard, r.ref}, io.Discard, "1.0.0", primary,
		chain.Guard(r.dir).With("checks", map[string]any{"conflist": map[string]any{"runtime": "containerd"}}))
}

func (r *rig) hostLocal() chain.Plugin { return chain.HostLocal(filepath.Join(r.dir, "leases")) }

// event notes what happens.
func (r *rig) event(format string, args ...any) {
	r.Events = append(r.Events, fmt.Sprintf(format, args...))
}

// expect notes the health if it holds, else the damage.
func (r *rig) expect(holds bool, health, damage string) {
	if holds {
		r.Health = append(r.Health, health)
	} else {
		r.Damage = append(r.Damage, damage)
	}
}

// pod is a pod with a mounted namespace.
type pod struct {
	chain.Pod
	addr     string
	hostVeth string
}

// start starts a pod.
func (r *rig) start(ctx context.Context, on *chain.Runtime, name string) (pod, error) {
	pin, err := node.NewPin(name)
	if err != nil {
		return pod{}, err
	}
	p := pod{Pod: chain.Pod{ID: name, Netns: pin.Path}}
	result, err := on.Add(ctx, p.Pod)
	if err != nil {
		return p, err
	}
	p.addr, p.hostVeth = chain.Address(result), chain.NodeSide(result)
	r.event("pod %s starts with %s", name, p.addr)
	return p, nil
}

// connects reports whether the pod can open a TCP connection to the address.
func connects(ctx context.Context, p pod, addr string) bool {
	return node.Reach(ctx, p.Netns, addr, 2*time.Second) == nil
}

// shell runs a command on the node.
func shell(command string, args ...string) error {
	out, err := exec.Command(command, args...).CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("%s %s: %w", command, strings.Join(args, " "), err), errors.New(strings.TrimSpace(string(out))))
	}
	return nil
}

// setSysctl writes a sysctl of the node's network namespace.
func setSysctl(name, value string) error {
	return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)
}
