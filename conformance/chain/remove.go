// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containernetworking/cni/libcni"
)

// A Removal is how the end of a pod went.
type Removal struct {
	Err  error // why the runtime will try again; nil where it is done
	Took time.Duration
	Said []error // what networks said that the runtime took for "already gone"
}

// Complete reports whether the runtime takes the pod's networks for removed.
func (r Removal) Complete() bool { return r.Err == nil }

// Remove detaches the pod from both networks in the order of containerd's
// go-cni: loopback first, one after the other, until one fails. go-cni reads
// the text of an error to tell what is gone already from what it must retry.
func (r *Runtime) Remove(ctx context.Context, p Pod) Removal {
	var removal Removal
	began := time.Now()
	for _, step := range []struct {
		list   *libcni.NetworkConfigList
		ifName string
	}{{r.loopback, "lo"}, {r.Default, "eth0"}} {
		if step.list == nil {
			continue
		}
		err := r.cni.DelNetworkList(ctx, step.list, p.config(step.ifName))
		if err == nil {
			continue
		}
		err = fmt.Errorf("remove pod from network %s: %w", step.list.Name, err)
		if !alreadyGone(err, p.Netns) {
			removal.Err = err
			break
		}
		removal.Said = append(removal.Said, err)
	}
	removal.Took = time.Since(began)
	return removal
}

// alreadyGone is go-cni's test, of versions 1.1.x that containerd 1.6 to 2.x use.
func alreadyGone(err error, netns string) bool {
	text := err.Error()
	if netns == "" && strings.Contains(text, "no such file or directory") {
		return true
	}
	return strings.Contains(text, "not found")
}
