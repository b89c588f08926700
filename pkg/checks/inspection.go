// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// An Inspection looks at something that takes what no check may have, as starting a
// program or asking the runtime: who runs the checks by hand brings it along. Nil
// means that nobody looks.
type Inspection func(context.Context) ([]guard.Finding, error)

// Inspections are those that guardctl brings along.
type Inspections struct {
	Runtime Inspection // what the runtime that runs works with
	Chain   Inspection // the programs of the plugins in use
	Pods    Inspection // the attachments that are there
}

// inspect returns the probe of a check that has its findings from an inspection.
func inspect(of func(Inspections) Inspection) func(context.Context, *Target) ([]guard.Finding, error) {
	return func(ctx context.Context, t *Target) ([]guard.Finding, error) {
		look := of(t.Conf.Inspect)
		if look == nil {
			return nil, errors.New("nobody looked: only guardctl doctor does")
		}
		return look(ctx)
	}
}
