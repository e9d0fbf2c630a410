/* SPDX-License-Identifier: MIT */
/*
 * control/hostfw_xt.h - iptables' extensions in the words of nft
 *
 * Of a rule that iptables-nft made, nft's JSON names the extension
 * ("conntrack") and keeps to itself what it matches. Its text says it in
 * words of its own ("ct state related,established"), and bears the same
 * handle. conntrack, state, addrtype and multiport are found there.
 */
#ifndef CONTROL_HOSTFW_XT_H
#define CONTROL_HOSTFW_XT_H

#include <jansson.h>

/*
 * Put into rules (the list of `nft -j list ruleset`) what text (of `nft -a
 * list ruleset`) says of their extensions. What is not understood stays.
 */
void hostfw_xt_translate(json_t *rules, const char *text);

#endif
