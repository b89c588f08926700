// SPDX-License-Identifier: Apache-2.0

// Package ledger keeps what ADD knew of each sandbox, so that DEL can tell
// whether it got the same one.
//
// A ledger is a folder on a tmpfs with one small JSON file for each attachment:
//
//	live/NETWORK:CONTAINERID:IFNAME   recorded by ADD
//	gone/NETWORK:CONTAINERID:IFNAME   moved there by DEL
//	tmp/                              records being written
//	locks/NETWORK:CONTAINERID:IFNAME  held by the process that releases the attachment
//
// A record outlives its DEL because the runtime repeats a DEL that another
// plugin of the chain failed, and by then the path may lead elsewhere. Files
// appear and move by rename, so a record is whole or absent whenever a process
// is killed, and ADD and DEL need no lock: two processes never work on one
// attachment at once but in a race in which either order is right. A release is
// the exception, as no plugin may be called twice for it. Both folders are
// bounded.
package ledger
