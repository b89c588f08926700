// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"strings"
)

// A LinkState is what networkd made of a link.
type LinkState struct {
	File    string // where that is read
	Admin   string // ADMIN_STATE: "unmanaged", "configuring", "configured", …
	Network string // NETWORK_FILE: what it applies; "" where nothing matches
}

// Managed reports whether networkd configures the link.
func (s LinkState) Managed() bool {
	return s.Admin == "configuring" || s.Admin == "configured" || s.Admin == "failed"
}

// NetworkdLink returns what networkd made of the link with that index. The error
// wraps fs.ErrNotExist where it has not seen it. The file is private to systemd, and
// its form is that of 2013 to this day.
func (r Root) NetworkdLink(index int) (LinkState, error) {
	s := LinkState{File: fmt.Sprintf("/run/systemd/netif/links/%d", index)}
	data, err := r.ReadFile(s.File)
	if err != nil {
		return LinkState{}, err
	}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "ADMIN_STATE":
			s.Admin = value
		case "NETWORK_FILE":
			s.Network = strings.Trim(value, `"`)
		}
	}
	return s, nil
}
