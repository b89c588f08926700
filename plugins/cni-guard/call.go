// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A call is the state of one ADD, DEL or CHECK: the configuration, the sandbox, which
// is opened once, and what is on record of it.
type call struct {
	config
	key    ledger.Key
	ledger ledger.Ledger
	record *ledger.Record // of this attachment; nil if there is none
	target *checks.Target
	log    journal
	watch  *watchdog // nil in tests of a call

	bootID       func() (string, error)
	startRelease func(context.Context, release.Request, io.Writer) release.Outcome
}

// parseInput parses the configuration and the result in it, for the verbs that fail if
// the configuration is not valid. A result that cannot be read refuses nothing.
func parseInput(args *cmdArgs) (config, checks.Interface, *types.Error) {
	c, err := parseConfig(args.StdinData)
	if err != nil {
		return c, checks.Interface{}, err
	}
	want, resultErr := expectedInterface(c, args.IfName)
	c.ResultErr = resultErr
	return c, want, nil
}

// start begins a call: the watchdog knows of it, and its namespaces are open.
func (p *plugin) start(command string, c config, want checks.Interface, args *cmdArgs) *call {
	p.begin(command, c, args)
	k := openCall(command, c, want, args)
	k.watch = p.watch
	return k
}

// openCall opens the namespaces. One that cannot be opened becomes a View that returns
// the error, so that the checks that need it are unknown.
func openCall(command string, c config, want checks.Interface, args *cmdArgs) *call {
	netns := netstate.OpenNetns(args.Netns)
	k := &call{
		config: c,
		key:    ledger.Key{Network: c.Network, ContainerID: args.ContainerID, IfName: args.IfName},
		ledger: ledger.Ledger(c.StateDir),
		log:    journal{command, c, args},
		bootID: netstate.BootID, startRelease: release.Start,
		target: &checks.Target{
			ContainerID: args.ContainerID, IfName: args.IfName, Netns: netns, Want: want, Adding: command == "ADD", Override: overrides(args.NetnsOverride),
			Options: c.Settings.Options, StateDir: c.StateDir, Conf: c.conf(args),
		},
	}
	k.target.Holder = k.holder
	k.target.Node = viewOrError(netstate.OpenNode())
	k.target.Pod = netstate.Unreadable{Err: errors.New("no sandbox is open")}
	k.target.Cookie = netns.Cookie
	if netns.Kind == netstate.Sandbox || netns.Kind == netstate.Node && k.target.Override {
		pod, err := netns.View()
		k.target.Pod = viewOrError(pod, err)
		if err == nil {
			k.target.Cookie = pod.Cookie
		}
	}
	k.log.warnOfInput()
	return k
}

// close closes the sandbox. The end of the process closes the sockets.
func (k *call) close() { _ = k.target.Netns.Close() }

func viewOrError(v *netstate.Live, err error) netstate.View {
	if err != nil {
		return netstate.Unreadable{Err: err}
	}
	return v
}

// overrides reads CNI_NETNS_OVERRIDE as skel does.
func overrides(value string) bool { return value == "1" || strings.EqualFold(value, "true") }

// loadRecord loads what ADD recorded. A cookie of another boot means nothing, but the
// interface and the release on record still do. The result that the runtime kept comes
// before the record of the interface; runtimes keep none for configurations older than
// 0.4.0.
func (k *call) loadRecord() {
	r, err := k.ledger.Get(k.key)
	if errors.Is(err, fs.ErrNotExist) {
		return // the pod is older than the guard, or than this boot
	}
	if err != nil {
		k.log.warn("cannot read the record of ADD; the sandbox is identified by other records and the result", err)
		return
	}
	if k.isOfEarlierContainer(r) {
		return
	}
	boot, err := k.bootID()
	if err != nil { // a release on record counts all the same
		k.log.warn("cannot compare the boot with that of ADD; the sandbox is identified by the result", err)
	}
	k.record = r
	if err == nil && r.BootID == boot {
		k.target.Recorded = r.Cookie
	}
	if k.target.Want.MAC == "" {
		k.target.Want.MAC = r.MAC
	}
	if len(k.target.Want.Addrs) == 0 {
		k.target.Want.Addrs = r.Addrs
	}
}

// holder returns the container whose live record of this boot has the cookie.
func (k *call) holder(ctx context.Context, cookie uint64) (checks.Holder, error) {
	boot, err := k.bootID()
	if err != nil {
		return checks.Holder{}, err
	}
	r, err := k.ledger.Holder(ctx, cookie, boot, k.key.ContainerID)
	if r == nil {
		return checks.Holder{}, err
	}
	return checks.Holder{ContainerID: r.ContainerID, Pod: r.Pod}, nil
}

// isOfEarlierContainer reports whether a retired record belongs to an earlier container
// with the same ID: podman and nerdctl keep the ID through a restart. A repeated DEL has
// the path of the first one, or none.
func (k *call) isOfEarlierContainer(r *ledger.Record) bool {
	path := k.target.Netns.Path
	return r.Retired && path != "" && r.Netns != "" && path != r.Netns
}

// podName returns "namespace/name" from CNI_ARGS, or "" if Kubernetes did not call.
func podName(cniArgs string) string {
	var namespace, name string
	for pair := range strings.SplitSeq(cniArgs, ";") {
		switch key, value, _ := strings.Cut(pair, "="); key {
		case "K8S_POD_NAMESPACE":
			namespace = value
		case "K8S_POD_NAME":
			name = value
		}
	}
	if name == "" || namespace == "" {
		return name
	}
	return fmt.Sprintf("%s/%s", namespace, name)
}
