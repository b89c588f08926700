// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// asCNIError gives the CNI error that an error is or wraps, and one with the
// code of internal errors for any other.
func asCNIError(err error) *types.Error {
	var e *types.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	}
	return types.NewError(types.ErrInternal, err.Error(), "")
}

// orNil gives an untyped nil for a nil *types.Error.
func orNil(e *types.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// safe makes an answer printable: kubelet shows it in events and in its journal, and
// it may quote names of files, and errors of other plugins.
func safe(e *types.Error) *types.Error {
	return types.NewError(e.Code, printable.Error(errors.New(e.Msg)), printable.Error(errors.New(e.Details)))
}
