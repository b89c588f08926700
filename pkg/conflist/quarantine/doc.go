// SPDX-License-Identifier: Apache-2.0

// Package quarantine takes a network configuration away from the runtimes without
// losing it: the file is renamed within its folder to a name that no loader takes,
// and a record beside it says when, why and by whom. Restore is the way back.
//
// It is renamed within the folder because containerd sees only that: a file that
// is moved out of it, or into it from elsewhere, is noticed at some later time
// (cni_conf_syncer.go acts on Rename, Remove and Write, not on Create). The folder
// itself is never touched, for containerd ends when that is removed or renamed
// (containerd#10646).
//
// Wherever it is interrupted the file has one of its two names, and the record is
// whole or not there. Doing it again finishes the job, as it overwrites what an
// interrupted run left.
package quarantine
