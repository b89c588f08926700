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
//	-- want --            a line "OBJECT PROBLEM" for each finding, with "minor: "
//	                      before one that refuses nothing; nothing for a pass;
//	                      "unknown: PART OF THE ERROR", or "skipped: PART OF THE REASON".
//	                      If a line "evidence: TEXT", "impact: TEXT" or "command: TEXT"
//	                      follows one of the findings, all of them must have theirs
//	-- node.repaired --   the node's namespace after Repair
//	-- pod.repaired --    the sandbox after Repair
//	-- net.d/NAME --      a file of the conf dir, also NETWORK/NAME below it
//	-- bin/NAME --        a program of the plugin directory, not executable if it is empty
//	-- host/PATH --       a file of the node: /etc/resolv.conf is host/etc/resolv.conf
//	-- state/NAME --      a file that a check wrote at an earlier run
//	-- run/NAME --        another file
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
//	links    the interfaces of the node that the result names; none
//	attached an attachment on record, "POD IFNAME" with its addresses and the interfaces
//	         of the node; may be repeated
//	optional the kernel need not have the interface: true or false, which is the default
//	recorded what the ledger says: same, other, or none, which is the default
//	holder   the container whose live record has the cookie (own: this attachment's
//	         container), or error: and why the records cannot be read; none by default
//	cookie   the error of a cookie that cannot be read; it can
//	aws      what EC2 says of the source/destination check: on, off or denied; it is not
//	         asked by default
//	inotify  what root has none left of: instances, watches, free (of neither), or
//	         unreadable; it is not tried by default
//	override CNI_NETNS_OVERRIDE: true or false, which is the default
//	options  the check's place in the configuration, as JSON; {}
//	network  the name of the network that called; none
//	caller   the process that called; none
//	crio     what the CRI-O that called has for cni_default_network; unknown
//	runtime  the runtime that guardctl found: containerd, crio or cri-dockerd; none
//	confdir  the conf dir: directory, missing, file (there is a file in its place) or
//	         none (it is not known), which is the default where the fixture has no
//	         file of it, as directory is where it has
//	loopback what is known of the loopback plugin: ours, other, missing, internal,
//	         unreadable, or none, which is the default
//
// On the kernel each fixture has a node of its own: a process in new network and
// mount namespaces with an empty /run, whose lo is up and whose sandbox is
// pinned at $NETNS, where it has the name "pod" for ip -n. The lo of the sandbox
// is up as well. Commands of setup run in the node by sh -eu. The name $NETNS
// stands in want for the path, too.
//
// Likewise $CONFDIR, $BINDIR, $HOSTDIR, $STATEDIR and $RUNDIR are the directories net.d,
// bin, host, state and run, in setup, in want and in files. On the kernel they are empty before setup, which
// writes what the other sections describe. Files of sections are from 2026-01-02
// 03:04:05 UTC.
package checktest
