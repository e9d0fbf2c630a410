/* SPDX-License-Identifier: MIT */
/*
 * cmd/hostfw.h - asks the host's firewall about published ports
 *
 * Asked is nft (control/hostfw.h), by who may. Who may not learns only that
 * there is ufw, or from firewalld that it does not list a port: that is told
 * as a possibility. Nothing is changed; what cannot be asked, or does not
 * answer within two seconds, or with more than 4 MiB, says nothing.
 */
#ifndef CMD_HOSTFW_H
#define CMD_HOSTFW_H

#include <jansson.h>
#include <stdbool.h>

struct hostfw;

/* What one command has learnt; begins as zeroes. */
struct hostfw_view {
	bool asked;
	bool ufw, firewalld;		/* who may not ask nft: there is one */
	struct hostfw *fw;
};

/*
 * Add to warnings what keeps other machines from the open ports of published
 * (control/status.h). The firewall is asked at the first such port only.
 */
void hostfw_view_warn(struct hostfw_view *v, json_t *published,
		      json_t *warnings);
void hostfw_view_fini(struct hostfw_view *v);

#endif
