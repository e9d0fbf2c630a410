/* SPDX-License-Identifier: MIT */
/* firewall/keys.h - the keys of our text, for its reader and its printer. */
#ifndef FIREWALL_KEYS_H
#define FIREWALL_KEYS_H

#include "firewall/word.h"

enum rule_key {
	KEY_ACTION, KEY_DIRECTION, KEY_ENABLED, KEY_PROFILE, KEY_PROTOCOL,
	KEY_LOCAL_PORT, KEY_REMOTE_PORT, KEY_ICMP_TYPE, KEY_LOCAL_ADDRESS,
	KEY_REMOTE_ADDRESS, KEY_NETWORK, KEY_GUEST, KEY_PROGRAM, KEY_EXCEPT,
	KEY_ID, KEY_GROUP, KEY_DESCRIPTION, KEY_WINDOWS,
	KEYS
};

/* In the order of their enums. */
extern const struct known_word rule_keys[KEYS];
extern const struct known_word action_words[3];
extern const struct known_word direction_words[2];
extern const struct known_word profile_words[3];

#define PROTOCOL_WORDS 5
extern const struct known_word protocol_words[PROTOCOL_WORDS];

/* The list that a key fills; RULE_LISTS if it fills none. */
unsigned key_list(enum rule_key key);

#endif
