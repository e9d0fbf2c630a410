/* SPDX-License-Identifier: MIT */
/* cmd/firewall.h - the verbs of `slipway firewall`. */
#ifndef CMD_FIREWALL_H
#define CMD_FIREWALL_H

#include <jansson.h>

#include "base/check.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"

/* Each gets the words after its verb; returns what to exit with. */
int firewall_add(char **argv);
int firewall_except(char **argv);
int firewall_delete(char **argv);
int firewall_enable(char **argv);
int firewall_disable(char **argv);
int firewall_import(char **argv);
int firewall_log(char **argv);

/**
 * firewall_ask() - ask the network that is meant
 * @c:		its name, if given, counts
 * @command:	what was typed, for errors
 * @body:	taken; NULL if there is none
 * @name:	which one it was
 *
 * Return: the answer; NULL with fail set.
 */
MUST json_t *firewall_ask(const struct config *c, const char *command,
			  enum api_op op, json_t *body,
			  char name[CONFIG_NAME_BYTES], struct fail *fail);

/*
 * The same for a change: its answer as JSON, or nothing. body NULL: a word
 * was not UTF-8. Returns what to exit with.
 */
int firewall_change(const struct config *c, const char *command,
		    enum api_op op, json_t *body);

/*
 * The only operand, if there is one, names the network. -1: go on; else what
 * to exit with.
 */
int firewall_network(struct config *c, const char *command, char **argv);

/* "firewall VERB: WHAT". Returns EXIT_USAGE. */
int firewall_usage(const char *command, const char *what);

#endif
