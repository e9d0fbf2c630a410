/* SPDX-License-Identifier: MIT */
/* test/script/build.h - the guest's frames from a script's text. */
#ifndef BUILD_H
#define BUILD_H

#include "fake.h"

/*
 * Make the frame that a line says after ">" and hand it to the network.
 * NULL, or what is wrong with the text.
 *
 *   FLAGS SEQ:END(LEN) [ack N] [win N] [urg N] [gso N] [ttl N] [<OPTIONS>]
 *   udp PORT > ADDRESS:PORT (LEN) [ttl N] [csum 0|bad]
 *   frag ID FROM:TO[+] of udp … [fill]
 *
 * OPTIONS: mss N, wscale N, sackOK, ts N N, sack N:N N:N…, nop, eol
 */
const char *build_frame(struct fake *f, const char *text);

#endif
