/* SPDX-License-Identifier: MIT */
/*
 * firewall/rule.h - rules of the firewall as values.
 *
 * A rule is a list of conditions that must all hold (AND); each is a list
 * of which one must hold (OR); an empty list is no condition. The fields
 * are those of the Windows Defender Firewall ([MS-FASP] section 2.2.37),
 * and those of ours: networks, guests, names, exceptions.
 *
 * *Local* is the end that the rule protects: of a flow `in` the service (on
 * the host, or of a guest's published port), of a flow `out` the guest.
 * *Remote* is the other one.
 *
 * A set of rules is one block of the caller's memory: rules, the items of
 * their lists, and text. All of them are named by number, so the block may
 * be moved or handed to another process of the same build. Nothing is freed
 * one by one; a reader that fails takes back what it added.
 */
#ifndef FIREWALL_RULE_H
#define FIREWALL_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/span.h"

enum rule_action {
	RULE_BLOCK,
	RULE_ALLOW,
	RULE_BYPASS,		/* Windows': over IPsec only, so never here */
};

enum rule_direction { RULE_IN, RULE_OUT };

enum rule_profile {
	RULE_DOMAIN = 1 << 0,
	RULE_PRIVATE = 1 << 1,
	RULE_PUBLIC = 1 << 2,
	RULE_EVERY_PROFILE = 7,
};

enum {				/* of `protocol`; others by their number */
	RULE_ICMP4 = 1,
	RULE_TCP = 6,
	RULE_UDP = 17,
	RULE_ICMP6 = 58,
	RULE_ANY_PROTOCOL = 256,
	RULE_ANY_CODE = 256,
};

/* Windows' words for ports: [MS-GPFAS] section 2.2.2.3. */
enum port_word {
	PORT_RPC, PORT_RPC_EPMAP, PORT_TEREDO, PORT_IPTLS_IN,
	PORT_IPHTTPS_IN, PORT_IPTLS_OUT, PORT_IPHTTPS_OUT, PORT_DHCP,
	PORT_PLY2DISC, PORT_MDNS, PORT_CORTANA_OUT, PORT_TCP_CDP,
	PORT_WORDS
};

/* Windows' words for addresses: [MS-GPFAS] section 2.2.2.13. */
enum addr_word {
	ADDR_LOCAL_SUBNET,	/* of the network; link-local */
	ADDR_DNS, ADDR_DHCP, ADDR_GATEWAY,	/* the gateway, all three */
	ADDR_INTRANET,		/* private and link-local ranges */
	ADDR_INTERNET,		/* unicast that is none of the intranet's */
	ADDR_REMOTE_INTRANET,	/* the intranet without the local subnet */
	ADDR_WINS, ADDR_PLY2RENDERS, ADDR_CAPTIVE_PORTAL,	/* nothing */
	ADDR_WORDS
};

enum rule_families { RULE_V4 = 1, RULE_V6 = 2, RULE_BOTH = 3 };

enum rule_list {
	RULE_LOCAL_PORTS,	/* ITEM_PORTS, ITEM_PORT_WORD */
	RULE_REMOTE_PORTS,
	RULE_ICMP,		/* ITEM_ICMP */
	RULE_LOCAL,		/* ITEM_ADDRS, ITEM_ADDR_WORD */
	RULE_REMOTE,		/* these, and ITEM_NAME */
	RULE_NETWORKS,		/* ITEM_TEXT */
	RULE_GUESTS,		/* ITEM_TEXT */
	RULE_PROGRAMS,		/* ITEM_TEXT: full paths */
	RULE_EXCEPT,		/* who begins the flow: ITEM_GUEST,
				   ITEM_NETWORK, ITEM_ADDRS, ITEM_ADDR_WORD */
	RULE_KEPT,		/* ITEM_TEXT: "Field=value" of Windows' that
				   has no meaning here */
	RULE_LISTS
};

enum rule_item_kind {
	ITEM_PORTS, ITEM_PORT_WORD, ITEM_ICMP, ITEM_ADDRS, ITEM_ADDR_WORD,
	ITEM_NAME,		/* "*.a.test": names below; "a.test"; "*" */
	ITEM_TEXT, ITEM_GUEST, ITEM_NETWORK,
};

struct rule_item {
	uint32_t next;		/* one more than its number; 0: the last */
	uint8_t kind;		/* enum rule_item_kind */
	uint8_t word;		/* enum port_word, enum addr_word */
	uint8_t families;	/* of an addr_word: enum rule_families */
	union {
		struct {
			uint16_t first, last;
		} port;
		struct {
			uint16_t type, code;	/* or RULE_ANY_CODE */
		} icmp;
		struct {
			struct ip first, last;	/* of one family */
		} addr;
		uint32_t text;
	};
};

struct rule {
	uint32_t name;		/* these four are texts; 0 is "" */
	uint32_t id;		/* Windows' own: the registry value's name */
	uint32_t group, description;
	uint16_t protocol;	/* or RULE_ANY_PROTOCOL */
	uint8_t action;		/* enum rule_action */
	uint8_t direction;	/* enum rule_direction */
	uint8_t profiles;	/* of enum rule_profile, at least one */
	bool enabled;
	struct {
		uint32_t first, last;	/* one more than the number; 0: none */
	} list[RULE_LISTS];
};

struct rules_size {
	uint32_t rules, items, text_bytes;
};

struct rules {
	struct rule *rule;
	struct rule_item *item;
	char *text;
	struct rules_size used, max;
};

/* Block for a set; it is to be aligned to 8. */
size_t rules_bytes(const struct rules_size *max);

/* An empty set in a block (lent) of rules_bytes(). */
void rules_init(struct rules *set, void *block, const struct rules_size *max);

/*
 * A set that is there already, whole and with no room to spare: in a block
 * (lent, only read) as rules_init() lays it out for that size.
 */
void rules_adopt(struct rules *set, const void *block,
		 const struct rules_size *size);

/* The size of such a block for what a set holds now. */
struct rules_size rules_needed(const struct rules *set);

/* A rule that matches everything and is enabled: to be filled, then added. */
void rule_init(struct rule *r);

/* The following return false, and leave the set as it was, if it is full. */
MUST bool rules_add(struct rules *set, const struct rule *r);
MUST bool rules_append(struct rules *set, struct rule *r, enum rule_list list,
		       const struct rule_item *item);

/* A copy of text (borrowed) with a NUL behind it; *out names it. */
MUST bool rules_text(struct rules *set, struct view text, uint32_t *out);

/*
 * A rule of another set (borrowed), with its lists and texts in this one: to
 * be changed, then added. false: the set is full, and as it was.
 */
MUST bool rules_copy(struct rules *set, const struct rules *from,
		     const struct rule *r, struct rule *out);

/* Go back to what was used then. No later rule may be held. */
void rules_rewind(struct rules *set, const struct rules_size *used);

/* Lists: first item of one and the one after; NULL at the end. */
const struct rule_item *rule_first(const struct rules *set,
				   const struct rule *r, enum rule_list list);
const struct rule_item *rule_next(const struct rules *set,
				  const struct rule_item *item);

/* Say two items, of one set or of two, the same? */
bool rule_item_equal(const struct rules *a, const struct rule_item *x,
		     const struct rules *b, const struct rule_item *y);

/* And two rules? */
bool rule_equal(const struct rules *a, const struct rule *x,
		const struct rules *b, const struct rule *y);

/*
 * A condition of Windows' that nothing here fulfils (a service, a package, an
 * authenticated user, programs none of which has a path here …), or ByPass:
 * the rule is kept and never matches.
 */
bool rule_is_inert(const struct rules *set, const struct rule *r);

/*
 * Number of the rule with this id, else of the first with this name;
 * set->used.rules if there is none.
 */
uint32_t rules_find(const struct rules *set, const char *name);

/* Is there an enabled rule that asks for a program? */
bool rules_ask_programs(const struct rules *set);

/* Does a pattern ("*.a.test", "a.test", "*") hold for a name? Both are
 * lower case and without a final dot. "*.a.test" does not for "a.test". */
bool rule_name_matches(const char *pattern, const char *name);

/* The port that a word stands for here; 0: none that is known. */
uint16_t port_word_number(enum port_word word);

#endif
