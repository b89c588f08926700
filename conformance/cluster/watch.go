// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A Change is what a watch reports about an object: as it is now, or as it was when it was deleted.
type Change[T any] struct {
	Type   string // ADDED, MODIFIED or DELETED
	Object T
}

// Watch lists what is at that path, such as "/api/v1/nodes", as changes of the type ADDED,
// and then reports every change until each returns false or the context ends. A watch that
// the server ends is started again with a list, so that a change may be reported twice.
func Watch[T any](ctx context.Context, a *API, path string, each func(Change[T]) bool) error {
	for ctx.Err() == nil {
		var list struct {
			Metadata struct{ ResourceVersion string }
			Items    []T
		}
		if err := a.call(ctx, http.MethodGet, path, "", nil, &list); err != nil {
			return err
		}
		for _, item := range list.Items {
			if !each(Change[T]{"ADDED", item}) {
				return nil
			}
		}
		r, err := a.request(ctx, http.MethodGet, path+"?watch=1&resourceVersion="+list.Metadata.ResourceVersion, "", nil)
		if err != nil {
			return err
		}
		more, err := changes(r, each)
		if err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}

// changes reads a watch until it ends. It returns false if each did.
func changes[T any](r io.ReadCloser, each func(Change[T]) bool) (bool, error) {
	defer r.Close()
	decoder := json.NewDecoder(r)
	for {
		var change struct {
			Type   string
			Object json.RawMessage
		}
		if err := decoder.Decode(&change); err != nil {
			return true, nil // it ended: the list tells what was missed
		}
		if change.Type == "ERROR" {
			return true, nil // the version is too old
		}
		var object T
		if err := json.Unmarshal(change.Object, &object); err != nil {
			return false, fmt.Errorf("read a change: %w", err)
		}
		if !each(Change[T]{change.Type, object}) {
			return false, nil
		}
	}
}

// Await watches what is at that path until good is true for one object, and fails the
// test if that takes too long.
func Await[T any](c *Cluster, what, path string, good func(T) bool) {
	c.t.Helper()
	if err := AwaitChange(c, path, func(change Change[T]) bool { return change.Type != "DELETED" && good(change.Object) }); err != nil {
		c.t.Fatalf("await %s: %v", what, err)
	}
}

// AwaitChange watches what is at that path until good is true for one change.
func AwaitChange[T any](c *Cluster, path string, good func(Change[T]) bool) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, fmt.Errorf("it did not happen within %s", patience.Round(time.Second)))
	defer cancel()
	err := Watch(ctx, c.api, path, func(change Change[T]) bool { return !good(change) })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
