/* SPDX-License-Identifier: MIT */
/*
 * base/log.h - text for people, handed to whoever set the sink.
 *
 * Pure: a sink is a function and its context, passed in; nothing is kept
 * here. Used for what happens rarely; never per packet.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_sink {
	void (*write)(void *ctx, enum log_level level, const char *text);
	void *ctx;
};

#endif
