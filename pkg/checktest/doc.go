// SPDX-License-Identifier: Apache-2.0

// Package checktest runs the fixtures of a check, first on netstate.Fake and
// then, where a fixture says how, on the running kernel. Only tests import it.
//
// A fixture is a txtar file testdata/CHECK/CASE.txtar. Its sections, of which
// only want must be there:
//
//	-- target --          what the guard was asked; lines KEY = VALUE, see below
//	-- stage --           ADD, DEL, CHECK, STATUS or node; the check's first where left out
//	-- node --            the node's namespace, in the form of netstate.Parse
//	-- pod --             the sandbox, in the same form
//	-- want --            a line "OBJECT PROBLEM" for each finding; nothing for a
//	                      pass; or "unknown: PART OF THE ERROR"
//	-- node.repaired --   the node's namespace after Repair
//	-- pod.repaired --    the sandbox after Repair
//	-- setup --           shell commands that bring a real node and a real sandbox
//	                      into the state that the other sections describe
//
// A namespace that has no section has nothing but a healthy lo. A finding must
// be gone after Repair if one of the .repaired sections is there, and must still
// be there if none is.
//
// The keys of target, and what holds where one is left out:
//
//	netns    what CNI_NETNS is: sandbox (this is the default), node, none (it is
//	         empty), missing, unmounted, file, proc, directory, fifo, device,
//	         loop, othertype, unreadable
//	ifname   CNI_IFNAME; eth0
//	mac      what the result says of the interface; nothing
//	addr     likewise; may be repeated
//	recorded what the ledger says: same, other, or none, which is the default
//	cookie   the error of a cookie that cannot be read; it can
//	override CNI_NETNS_OVERRIDE: true or false, which is the default
//
// On the kernel each fixture has a node of its own: a process in new network and
// mount namespaces with an empty /run, whose lo is up and whose sandbox is
// pinned at $NETNS, where it has the name "pod" for ip -n. The lo of the sandbox
// is up as well. Commands of setup run in the node by sh -eu. The name $NETNS
// stands in want for the path, too.
package checktest
