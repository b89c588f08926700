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

// A call is what one ADD, DEL or CHECK works with: the configuration, the
// sandbox that was opened once, and what is known of it.
type call struct {
	config
	key    ledger.Key
	ledger ledger.Ledger
	record *ledger.Record // what is known of this attachment; nil: nothing
	target *checks.Target
	log    journal
	watch  *watchdog // nil in tests of a call

	bootID       func() (string, error)
	startRelease func(context.Context, release.Request, io.Writer) release.Outcome
}

// readAll reads the configuration and the result in it, for the verbs that fail
// where the configuration is not valid. A result that cannot be read refuses
// nothing.
func readAll(args *cmdArgs) (config, checks.Interface, *types.Error) {
	c, err := parseConfig(args.StdinData)
	if err != nil {
		return c, checks.Interface{}, err
	}
	want, resultErr := wanted(c, args.IfName)
	c.ResultErr = resultErr
	return c, want, nil
}

// open opens the namespaces. What cannot be opened becomes a View that answers
// with the error, so that the checks that need it cannot tell.
func open(command string, c config, want checks.Interface, args *cmdArgs) *call {
	netns := netstate.OpenNetns(args.Netns)
	k := &call{
		config: c,
		key:    ledger.Key{Network: c.Network, ContainerID: args.ContainerID, IfName: args.IfName},
		ledger: ledger.Ledger(c.StateDir),
		log:    journal{command, c, args},
		bootID: netstate.BootID, startRelease: release.Start,
		target: &checks.Target{
			ContainerID: args.ContainerID, IfName: args.IfName, Netns: netns, Want: want, Override: overrides(args.NetnsOverride),
			Options: c.Settings.Options, StateDir: c.StateDir, Conf: c.conf(args),
		},
	}
	k.target.Holder = k.holder
	k.target.Node = viewOr(netstate.OpenNode())
	k.target.Pod = netstate.Unreadable{Err: errors.New("no sandbox is open")}
	k.target.Cookie = netns.Cookie
	if netns.Kind == netstate.Sandbox || netns.Kind == netstate.Node && k.target.Override {
		pod, err := netns.View()
		k.target.Pod = viewOr(pod, err)
		if err == nil {
			k.target.Cookie = pod.Cookie
		}
	}
	k.log.oddities()
	return k
}

// close closes the sandbox. The sockets end with the process.
func (k *call) close() { _ = k.target.Netns.Close() }

func viewOr(v *netstate.Live, err error) netstate.View {
	if err != nil {
		return netstate.Unreadable{Err: err}
	}
	return v
}

// overrides reads CNI_NETNS_OVERRIDE as skel does.
func overrides(value string) bool { return value == "1" || strings.EqualFold(value, "true") }

// recall takes over what ADD recorded. A cookie of another boot means nothing; what
// the record says of the interface, and of a release, still does. The result that
// the runtime kept says more of the interface than the record; runtimes have none
// for configurations older than 0.4.0.
func (k *call) recall() {
	r, err := k.ledger.Get(k.key)
	if errors.Is(err, fs.ErrNotExist) {
		return // the pod is older than the guard, or than this boot
	}
	if err != nil {
		k.log.trouble("cannot read what ADD recorded; other records and the result have to tell whose sandbox this is", err)
		return
	}
	if k.anotherLife(r) {
		return
	}
	boot, err := k.bootID()
	if err != nil { // a release that was marked counts all the same
		k.log.trouble("cannot tell whether ADD recorded the sandbox in this boot; the result has to tell whose it is", err)
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

// anotherLife reports whether a retired record is that of an earlier container
// with the same ID: podman and nerdctl keep it through a restart. A DEL that is
// repeated has the path that the first one had, or none.
func (k *call) anotherLife(r *ledger.Record) bool {
	path := k.target.Netns.Path
	return r.Retired && path != "" && r.Netns != "" && path != r.Netns
}

// pod gives "namespace/name" out of CNI_ARGS where Kubernetes called, or "".
func pod(cniArgs string) string {
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
