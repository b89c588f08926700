// SPDX-License-Identifier: Apache-2.0

// Package assess judges a folder of network configurations: which file the operator
// intends, what every other file is beside it, what is wrong, and what to do.
//
// It is the only place that decides this. The check conflist, guardctl conf, doctor,
// quarantine, restore and install call [Assess]; what a runtime selects comes from
// package conflist, and what the operator wants comes in as an [Intent].
//
// Two rules hold everywhere. Where the evidence does not decide, the answer is
// unknown, with the candidates and without a command. And no command is given that,
// when it is run, leaves a folder in which the runtime selects nothing, or another
// network than the intended one.
//
// Plugins that run for every pod import this package: it reads no file that the
// caller does not need, and links nothing that pkg/conflist does not.
package assess
