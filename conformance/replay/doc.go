// SPDX-License-Identifier: Apache-2.0

// Package replay replays how sandboxes are lost: first without the guard, where
// the harm must show, then with it, where nothing may. Its tests are all it has;
// stage_test.go has what they share.
package replay
