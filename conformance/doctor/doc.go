// SPDX-License-Identifier: Apache-2.0

// Package doctor breaks one of two nodes, in each of the ways that have cost people a
// night, and asks guardctl doctor there what is wrong: the first finding must be the right
// cause, and on the healthy twin there must be none.
//
// Nodes are network namespaces with a VXLAN between them as flannel makes it. The test
// writes the table of docs/failures.md; scripts/doctor-table.sh puts it there.
package doctor
