// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// A bug in the release must not hand the node's namespace to the other plugins.
func TestPanicInReleaseStopsChain(t *testing.T) {
	quiet(t)
	w := newWorld(t.TempDir(), history{cookies: true})
	if err := w.add(shapeUsual, false); err != nil {
		t.Fatal(err)
	}
	c := w.containers[0]
	c.end()
	c.leads = &space{node: true, alive: true}
	k, args := w.call("DEL", c)
	k.startRelease = func(context.Context, release.Request, io.Writer) release.Outcome { panic("bug") }
	var answer *types.Error
	if err := k.del(args); !errors.As(err, &answer) || answer.Code != types.ErrInvalidNetNS {
		t.Fatalf("the DEL is answered with %v", err)
	}
	if strings.Contains(answer.Msg+answer.Details, "not found") {
		t.Errorf("the answer completes the removal: %v", answer)
	}
}
