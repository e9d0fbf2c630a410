/* SPDX-License-Identifier: MIT */
/*
 * keeper/programlinks.h - a rule for a link is one for what it leads to
 *
 * What the kernel tells of a process is the path of its executable, without
 * any symbolic link: whoever runs /usr/bin/python3 is /usr/bin/python3.11. A
 * rule may name either. So the rules that are sent to the engine name both,
 * where the path of one leads to another on this host; the rules that are
 * shown stay as they were written.
 *
 * Links are followed when rules are sent: what an upgrade makes of them later
 * counts from the next change of rules on.
 */
#ifndef KEEPER_PROGRAMLINKS_H
#define KEEPER_PROGRAMLINKS_H

#include "base/check.h"
#include "config/ruleset.h"

/*
 * A copy of the set, numbered as it is, with these paths; out stays empty if
 * no rule names a link. 0 or -ENOMEM. ruleset_fini(out) in either case.
 */
MUST int programlinks_follow(const struct rules *set, struct ruleset *out);

#endif
