/* SPDX-License-Identifier: MIT */
/* cmd/output.h - what another program prints */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include "base/check.h"

#define OUTPUT_MAX ((size_t)4 << 20)

/**
 * output_of() - run a program of the system and read what it prints
 * @argv:	its name, without folder, and arguments; ended by NULL
 * @text:	a string, to be freed
 *
 * No shell, no environment but PATH and LC_ALL, no input. It is killed after
 * two seconds, or when it has printed more than OUTPUT_MAX.
 *
 * Return: its exit status; -1, without text: there is no such program, or it
 * was killed.
 */
MUST int output_of(const char *const argv[], char **text);

/**
 * output_beside() - the same of a program that is named by its path
 * @argv:	the first is a path with a folder
 * @wait_ms:	for how long it may run
 *
 * It runs in its folder, and, if it is one of Windows' in WSL, finds its way
 * there by $WSL_INTEROP.
 */
MUST int output_beside(const char *const argv[], int wait_ms, char **text);

#endif
