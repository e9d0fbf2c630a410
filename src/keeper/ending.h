/* SPDX-License-Identifier: MIT */
/* keeper/ending.h - how all that belongs to a guest comes to its end. */
#ifndef KEEPER_ENDING_H
#define KEEPER_ENDING_H

struct keeper;

/*
 * Ports, files and the name are given back, the front is answered, then the
 * other processes are waited for. Does not return.
 */
_Noreturn void ending(struct keeper *k);

#endif
