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
	PodsPing       Claim = "a ping that is executed in one pod is answered by the other"
	Beyond         Claim = "the pod reaches a machine beyond the node over TCP"
	StillBeyond    Claim = "the pod of before reaches a machine beyond the node over TCP"
	NodeReaches    Claim = "the node reaches an address that it needs over TCP"
	PodReaches     Claim = "the pod reaches that address over TCP"
	ServiceAnswers Claim = "a Service answers that chooses a pod on the client's bridge"
	PodReady       Claim = "the pod has its eth0 and its lo is up"
	PodGone        Claim = "the runtime removes the pod"
	AddressFree    Claim = "the pod's address is free again"
	AddressUsed    Claim = "a freed address is given to the next pod"
	KeptNetwork    Claim = "the pods of before keep their network"
	Neighbour      Claim = "the other pod keeps its network"
	NoRecord       Claim = "no record of a pod is left that has ended"
	NodeReady      Claim = "the runtime reports a ready network when all is well"
	NotReady       Claim = "the runtime reports NetworkReady=false, with the reason, while lo is down"
	RightNetwork   Claim = "the next pod is in the network that it should be in"
	NextPod        Claim = "the next pod starts"
	LaterReport    Claim = "the runtime reports NetworkReady=false when lo goes down after it was ready once"
	FileReported   Claim = "the runtime reports NetworkReady=false, with the file to keep and the rogue, before that does harm"
)

// What only a node with the guard can show.
const (
	Recognised   Claim = "the guard reports whose namespace it was given"
	Recorded     Claim = "the guard has a record of each pod that it saw start"
	Repaired     Claim = "the guard reports that it mended the node's lo"
	RepairNamed  Claim = "the guard reports what it repaired, with the value before and after"
	PortBack     Claim = "the pod's port is on its own bridge when the runtime has started the pod"
	RangeNamed   Claim = "guardctl doctor exits with 1 and names the range of the pods and the address in it, before the first pod starts and afterwards"
	RangeCured   Claim = "once pods have another range, the node and the pod reach that address, and guardctl doctor exits with 0"
	Retried      Claim = "without guardctl the removal is refused, not taken for done"
	Refused      Claim = "the pod is refused, with the file to keep, the rogue, and the command that puts that away"
	Warned       Claim = "the guard reports the file that could take over, and starts the pod"
	Named        Claim = "guardctl conf exits with 1 and names the file to keep and the rogue"
	NamedReady   Claim = "guardctl conf names the file to keep and the rogue, and exits with 0 while that does no harm"
	PutAway      Claim = "guardctl conf quarantine puts the rogue away"
	Stopped      Claim = "who would put the right file away is stopped, and told which one is the rogue"
	Installed    Claim = "guardctl install, upgrade and uninstall do what they should"
	Shown        Claim = "guardctl conf shows the network that pods get, and its file"
	Verified     Claim = "guardctl verify exits with 0"
	NameMissing  Claim = "guardctl conf exits with 1 and names the network that no file has"
	Missing      Claim = "guardctl conf exits with 1 and names the file that is skipped and the plugin that is missing"
	SameAnswer   Claim = "the runtime calls the same DEL again when it starts the next time, and the guard answers it as before"
	ReleasedOnce Claim = "the IPAM plugin is asked once for each pod, however often its DEL is called"
	OlderNamed   Claim = "guardctl doctor names the pods that started before the guard was there, and no other"
	NotAdded     Claim = "the ADD fails"
	InAndOut     Claim = "meanwhile pods started with the guard and without it"
	Restored     Claim = "the configuration is as before guardctl install, byte for byte"
	MendedPod    Claim = "once the rogue is put away, the next pod is in the network that it should be in"
	MendedFree   Claim = "guardctl release gives back the address of a pod that was removed from the wrong network"
	MendedGone   Claim = "once the rogue is put away, the pods of before are removed"
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
