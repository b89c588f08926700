// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ownNetns names the network namespace that this process is in, among those that
// exist now: device and inode. It is "" where that cannot be told.
func ownNetns() string {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
