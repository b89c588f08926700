// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// netnsPath is where the sandbox is pinned, on the fake as on the kernel.
const netnsPath = "/run/netns/pod"

// ownContainer is the container of the attachment, for the key holder.
const ownContainer = "own"

// A target is a parsed target section.
type target struct {
	netns           string // a name in judgements
	ifName          string
	want            checks.Interface
	recorded        string // same, other or none
	noCookie        string // why the cookie cannot be read; "" where it can
	holder          string // the container whose live record has the cookie; "" for none
	noHolder        string // why the records cannot be read; "" where they can
	override        bool
	attached        []checks.Attachment
	inotify         func() error // nil: not tried
	sourceDestCheck func(context.Context, net.HardwareAddr) (checks.CloudInterface, error)
	conf            conf
}

// judgements maps each word of a fixture to the result of OpenNetns. The replays
// prove that the kernel agrees.
func judgements() map[string]netstate.Netns {
	is := func(what string) netstate.Netns {
		return netstate.Netns{Path: netnsPath, Kind: netstate.NotNetns, What: what}
	}
	return map[string]netstate.Netns{
		"sandbox":    {Path: netnsPath, Kind: netstate.Sandbox},
		"node":       {Path: netnsPath, Kind: netstate.Node},
		"none":       {Kind: netstate.Missing},
		"missing":    {Path: netnsPath, Kind: netstate.Missing},
		"unmounted":  is("is an empty file: the mount that pinned the namespace there is gone"),
		"file":       is("is an ordinary file"),
		"proc":       is("is another file of procfs"),
		"directory":  is("is a directory"),
		"fifo":       is("is a FIFO"),
		"device":     is("is a device"),
		"loop":       is("is a loop of symbolic links"),
		"othertype":  is("is a namespace of another type"),
		"unreadable": {Path: netnsPath, Kind: netstate.Unknown, Err: errors.New("open namespace: permission denied")},
	}
}

func parseTarget(t target, text string) (target, error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if err := t.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return t, fmt.Errorf("%q: %w", line, err)
		}
	}
	return t, nil
}

func (t *target) set(key, value string) (err error) {
	if known, err := t.conf.set(key, value); known {
		return err
	}
	switch key {
	case "netns":
		t.netns = value
		if _, ok := judgements()[value]; !ok {
			return errors.New("there is no such kind of namespace")
		}
	case "ifname":
		t.ifName = value
	case "mac":
		t.want.MAC = value
	case "addr":
		var addr netip.Prefix
		addr, err = netip.ParsePrefix(value)
		t.want.Addrs = append(t.want.Addrs, addr)
	case "links":
		t.want.Links = strings.Fields(value)
	case "attached":
		var a checks.Attachment
		a, err = parseAttached(strings.Fields(value))
		t.attached = append(t.attached, a)
	case "optional":
		t.want.Optional = value == "true"
		if value != "true" && value != "false" {
			return errors.New("want true or false")
		}
	case "recorded":
		t.recorded = value
		if !slices.Contains([]string{"same", "other", "none"}, value) {
			return errors.New("want same, other or none")
		}
	case "cookie":
		t.noCookie = value
	case "holder":
		if problem, ok := strings.CutPrefix(value, "error:"); ok {
			t.noHolder = strings.TrimSpace(problem)
		} else {
			t.holder = value
		}
	case "aws":
		t.sourceDestCheck, err = parseAWS(value)
	case "inotify":
		t.inotify, err = parseInotify(value)
	case "override":
		t.override = value == "true"
		if value != "true" && value != "false" {
			return errors.New("want true or false")
		}
	default:
		return guardAgainstTypo(key)
	}
	return err
}

// parseAWS reads what EC2 says of the source/destination check: on, off, or denied.
func parseAWS(value string) (func(context.Context, net.HardwareAddr) (checks.CloudInterface, error), error) {
	if !slices.Contains([]string{"on", "off", "denied"}, value) {
		return nil, errors.New("want on, off or denied")
	}
	return func(context.Context, net.HardwareAddr) (checks.CloudInterface, error) {
		if value == "denied" {
			return checks.CloudInterface{}, errors.New("access denied")
		}
		return checks.CloudInterface{ID: "eni-0a1b2c3d", Region: "eu-west-1", SourceDestCheck: value == "on"}, nil
	}, nil
}

// parseInotify reads what has run out: instances, watches, neither, or another error.
func parseInotify(value string) (func() error, error) {
	known := map[string]error{"instances": syscall.EMFILE, "watches": syscall.ENOSPC, "free": nil, "unreadable": syscall.ENOMEM}
	answer, ok := known[value]
	if !ok {
		return nil, errors.New("want instances, watches, free or unreadable")
	}
	return func() error { return answer }, nil
}

// parseAttached reads "POD IFNAME WORD...", where a word with a slash is an address, and
// any other one an interface of the node.
func parseAttached(words []string) (checks.Attachment, error) {
	if len(words) < 2 {
		return checks.Attachment{}, errors.New("want POD IFNAME, and addresses and interfaces of the node")
	}
	a := checks.Attachment{Pod: words[0], IfName: words[1]}
	for _, word := range words[2:] {
		if !strings.Contains(word, "/") {
			a.Links = append(a.Links, word)
			continue
		}
		addr, err := netip.ParsePrefix(word)
		if err != nil {
			return a, err
		}
		a.Addrs = append(a.Addrs, addr)
	}
	return a, nil
}

func guardAgainstTypo(key string) error {
	valid := []string{"netns", "ifname", "mac", "addr", "links", "attached", "optional", "recorded", "cookie", "holder", "override", "aws", "inotify", "options", "network", "caller", "crio", "runtime", "confdir", "loopback"}
	return fmt.Errorf("there is no key %q%s", key, guard.Suggest(key, valid))
}

// build returns the target of the check. As in the plugin, the views of a pod are
// there wherever a pod is, and answer with an error where no sandbox is open.
func (t target) build(stage guard.Stage, netns *netstate.Netns, node netstate.View, pod func() netstate.View) *checks.Target {
	built := &checks.Target{IfName: t.ifName, Node: node, Want: t.want, Adding: stage == guard.Add, Override: t.override}
	built.TryInotify, built.SourceDestCheck = t.inotify, t.sourceDestCheck
	built.Attached = func(context.Context) ([]checks.Attachment, error) { return t.attached, nil }
	if stage == guard.Node {
		built.Thorough, built.ReturnPaths = true, func() ([]checks.ReturnPath, error) { return checks.ReturnPaths(node) }
	}
	if stage&(guard.Status|guard.Node) != 0 {
		return built
	}
	built.Netns, built.ContainerID = netns, ownContainer
	built.Holder = func(context.Context, uint64) (checks.Holder, error) {
		if t.noHolder != "" {
			return checks.Holder{}, errors.New(t.noHolder)
		}
		return checks.Holder{ContainerID: t.holder}, nil
	}
	built.Pod = netstate.Unreadable{Err: errors.New("no sandbox is open")}
	if netns.Kind == netstate.Sandbox || netns.Kind == netstate.Node && t.override {
		built.Pod = pod()
	}
	return built
}
