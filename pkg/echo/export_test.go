// SPDX-License-Identifier: Apache-2.0

package echo

import "io"

// ReadMessage is readMessage, for tests.
func ReadMessage(r io.Reader) ([]byte, error) { return readMessage(r) }
