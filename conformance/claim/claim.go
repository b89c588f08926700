// SPDX-License-Identifier: Apache-2.0

// Package claim says what a node must be like, what was seen of it, and what
// follows from the two. It knows neither nodes nor runtimes.
package claim

// A Claim is a sentence that an outsider can check. It is true where all is well.
type Claim string

// What scenarios look at.
const (
	NodeLo         Claim = "the node's lo is up"
	NodeEth0       Claim = "the node's eth0 is as it was"
	NodeAsBefore   Claim = "links, addresses, routes and rules of the node are as before the first pod"
	NewerPod       Claim = "the node's eth0 is as it was once the newer pod is removed"
	NodeUntouched  Claim = "links, addresses, routes and rules of the node are as before the ADD"
	PodRuns        Claim = "the pod gets a network"
	PodsTalk       Claim = "one pod reaches the other over TCP"
	PodsPing       Claim = "a ping run in one pod is answered by the other"
	Beyond         Claim = "the pod reaches a machine beyond the node over TCP"
	StillBeyond    Claim = "the earlier pod reaches a machine beyond the node over TCP"
	NodeReaches    Claim = "the node reaches an address that it needs over TCP"
	PodReaches     Claim = "the pod reaches the same address over TCP"
	ServiceAnswers Claim = "a Service whose backend is on the client's bridge answers"
	PodReady       Claim = "the pod has eth0, and its lo is up"
	PodGone        Claim = "the runtime removes the pod"
	AddressFree    Claim = "the pod's address is free again"
	AddressUsed    Claim = "a freed address is given to the next pod"
	KeptNetwork    Claim = "the earlier pods keep their network"
	Neighbour      Claim = "the other pod keeps its network"
	NoRecord       Claim = "the guard keeps no record of a removed pod"
	NodeReady      Claim = "the runtime reports NetworkReady=true on a healthy node"
	NotReady       Claim = "the runtime reports NetworkReady=false, with the reason, while lo is down"
	RightNetwork   Claim = "the next pod is in the right network"
	NextPod        Claim = "the next pod starts"
	LaterReport    Claim = "the runtime reports NetworkReady=false when lo goes down later"
	FileReported   Claim = "the runtime reports NetworkReady=false and names the file to keep and the rogue before the rogue takes effect"
)

// What only a node with the guard can show.
const (
	Recognised   Claim = "the guard reports whose namespace it was given"
	Recorded     Claim = "the guard has a record of each pod that it was called for"
	Repaired     Claim = "the guard reports that it brought the node's lo up"
	RepairNamed  Claim = "the guard reports what it repaired, with the value before and after"
	PortBack     Claim = "the pod's port is on its bridge when ADD returns"
	RangeNamed   Claim = "guardctl doctor exits with 1 and names the pod range and the address in it, before the first pod starts and afterwards"
	RangeCured   Claim = "once pods have another range, the node and the pod reach that address, and guardctl doctor exits with 0"
	Retried      Claim = "without guardctl the removal fails and is tried again"
	Refused      Claim = "the pod is refused, and the error names the file to keep, the rogue, and the command that quarantines the rogue"
	Warned       Claim = "the guard reports the file that could take effect, and lets the pod start"
	Named        Claim = "guardctl conf exits with 1 and names the file to keep and the rogue"
	NamedReady   Claim = "guardctl conf names the file to keep and the rogue, and exits with 0 while the rogue has no effect"
	PutAway      Claim = "guardctl conf quarantine moves the rogue out of the folder"
	Stopped      Claim = "guardctl conf quarantine refuses to move the right file, and names the rogue"
	Installed    Claim = "guardctl install, upgrade and uninstall succeed"
	Shown        Claim = "guardctl conf shows the network that pods get, and its file"
	Verified     Claim = "guardctl verify exits with 0"
	NameMissing  Claim = "guardctl conf exits with 1 and names the network that no file defines"
	Missing      Claim = "guardctl conf exits with 1 and names the file that is skipped and the plugin that is missing"
	SameAnswer   Claim = "the runtime repeats the DEL at its next start, and the guard gives the same answer"
	ReleasedOnce Claim = "the IPAM plugin is asked once for each pod, however often its DEL is called"
	OlderNamed   Claim = "guardctl doctor names the pods that started before the guard was installed, and no others"
	NotAdded     Claim = "the ADD fails"
	InAndOut     Claim = "pods started with the guard and without it in the meantime"
	Restored     Claim = "the configuration is as before guardctl install, byte for byte"
	AgentKept    Claim = "the agent puts the rogue away by itself, while pods start"
	MendedPod    Claim = "once the rogue is put away, the next pod is in the right network"
	MendedFree   Claim = "guardctl release gives back the address of a pod that was removed from the wrong network"
	MendedGone   Claim = "once the rogue is quarantined, the earlier pods are removed"
)

// A Sighting is one look at a claim.
type Sighting struct {
	Claim  Claim  `json:"claim"`
	Held   bool   `json:"held"`
	Detail string `json:"detail,omitempty"` // what was seen
}

// sum is what all sightings of a claim come to: it held only if it always held.
type sum struct{ seen, held bool }

func summed(sightings []Sighting, c Claim) sum {
	s := sum{held: true}
	for _, one := range sightings {
		if one.Claim == c {
			s.seen = true
			s.held = s.held && one.Held
		}
	}
	return s
}
