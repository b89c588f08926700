// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/version"
)

// noCache stands where libcni wants its cache: it deletes the entry of a DEL
// that succeeded, and the entry is the runtime's. Below a file there is nothing
// to read or delete, and a full disk cannot keep us from working there.
const noCache = os.DevNull

// del has libcni run DEL of the plugin named, with the configuration of p, as the
// only one of its list.
func (c *Chain) del(ctx context.Context, plugin string, p *libcni.PluginConfig) error {
	p, err := c.withResult(p)
	if err != nil {
		return err
	}
	p.Network.Type = plugin
	cni := libcni.NewCNIConfigWithCacheDir(c.attachment.BinDirs, noCache, executor{})
	return cni.DelNetworkList(ctx, &libcni.NetworkConfigList{
		Name:       c.list.Name,
		CNIVersion: c.list.CNIVersion,
		Plugins:    []*libcni.PluginConfig{p},
	}, c.runtime)
}

// withResult copies a configuration, with what ADD answered: libcni would take
// that from its cache. It is part of DEL since version 0.4.0 of the spec.
func (c *Chain) withResult(p *libcni.PluginConfig) (*libcni.PluginConfig, error) {
	extra := map[string]any{}
	if hasResult, err := version.GreaterThanOrEqualTo(c.list.CNIVersion, "0.4.0"); err == nil && hasResult && c.result != nil {
		extra["prevResult"] = c.result
	}
	p, err := libcni.InjectConf(p, extra)
	if err != nil {
		return nil, fmt.Errorf("add result to configuration: %w", err)
	}
	return p, nil
}

// share gives one of those that wait its part of the time that is left.
func share(ctx context.Context, waiting int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(waiting))
}

// await gives up on a plugin that was killed and still does not end: libcni waits
// until its output is closed, and a child of it may hold that open for ever.
func await(ctx context.Context, del func() error) error {
	done := make(chan error, 1)
	go func() { done <- del() }()
	err := context.DeadlineExceeded
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(time.Second / 4):
		}
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("gave no answer in time and was killed: %w", err)
	}
	return err
}
