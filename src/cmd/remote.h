/* SPDX-License-Identifier: MIT */
/*
 * cmd/remote.h - a command in a virtual machine, and us in front of it
 *
 * It is run there by the machine's agent (guest/command.h), which is spoken
 * with over a stream that the keeper has handed out. Where our standard input
 * and output are a terminal it has one, too: ours is then raw, so that ^C is
 * its own, and what becomes of our window is told. Else its three standard
 * descriptors are ours, each by itself.
 *
 * If we are killed the stream ends, and the command gets SIGHUP.
 */
#ifndef CMD_REMOTE_H
#define CMD_REMOTE_H

#include "base/check.h"
#include "base/fail.h"

/**
 * remote_run() - run a command by a machine's agent
 * @stream:	to the agent; taken
 * @link:	the connection to the keeper, borrowed: its end is the guest's
 * @argv:	NULL-terminated; no word: a shell
 *
 * Return: what to exit with: the command's own status, 128 + n, 126, 127; or
 * 125 with fail set.
 */
MUST int remote_run(int stream, int link, char *const *argv,
		    struct fail *fail);

#endif
