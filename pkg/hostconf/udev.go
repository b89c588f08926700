// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/dchest/siphash"
)

// A LinkFile is a .link file, which udevd applies once to each link that appears.
type LinkFile struct {
	Path string
	settings
}

// LinkFiles reads the .link files, in the order in which udevd tries them.
func (r Root) LinkFiles() ([]LinkFile, error) {
	units, err := r.units("link")
	if err != nil {
		return nil, err
	}
	files := make([]LinkFile, len(units))
	for i, s := range units {
		files[i] = LinkFile{s.files[0], s}
	}
	return files, nil
}

// LinkFileFor returns the file that udevd would apply to a link; nil where none
// matches.
func LinkFileFor(files []LinkFile, link Link) (*LinkFile, error) {
	for i := range files {
		matched, err := files[i].match(link, "OriginalName")
		if err != nil {
			return nil, err
		}
		if matched {
			return &files[i], nil
		}
	}
	return nil, nil
}

// MACAddressPolicy returns how the file chooses the MAC of a link that was made
// without one: "persistent" and "random" replace the one that the kernel chose.
func (f *LinkFile) MACAddressPolicy() (Value, bool) { return f.last("Link", "MACAddressPolicy") }

// UdevRuns reports whether udevd applies .link files on the node.
func (r Root) UdevRuns() bool { return r.exists("/run/udev/control") }

// PersistentMAC returns the MAC that a virtual link of that name gets from
// MACAddressPolicy=persistent: a hash of the machine ID and the name (systemd's
// src/udev/net/link-config.c and src/shared/netif-util.c, unchanged since 2013). A link
// that has this MAC got it from udevd.
func (r Root) PersistentMAC(name string) (net.HardwareAddr, error) {
	text, err := r.ReadFile("/etc/machine-id")
	if err != nil {
		return nil, err
	}
	id, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(id) != 16 {
		return nil, errors.Join(fmt.Errorf("read /etc/machine-id: is no machine ID"), err)
	}
	// The key of the hash, and ether_addr_mark_random: local, and no group.
	key, _ := hex.DecodeString("d31e48fa90fe4b4c9dafd5d7a1b12e8a")
	hash := siphash.Hash(binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[8:]), append(id, name...))
	mac := binary.LittleEndian.AppendUint64(nil, hash)[:6]
	mac[0] = mac[0]&^1 | 2
	return mac, nil
}

// IsAbsent reports whether an error says that a file does not exist.
func IsAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
