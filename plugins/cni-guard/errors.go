// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/containernetworking/cni/pkg/types"
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
