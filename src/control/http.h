/* SPDX-License-Identifier: MIT */
/*
 * control/http.h - as much of HTTP/1.1 as the control socket speaks
 *
 * One request and one response on a connection, which then closes, or is
 * held. A body has a Content-Length; there are no chunks, no pipelining, no
 * continuations of header lines. Pure: bytes in, values out.
 *
 * Source: RFC 9112 (syntax), RFC 9110 (status codes, Upgrade).
 *
 * Why not a library: libmicrohttpd brings TLS and ten more libraries into
 * each of our processes, 2 ms at every start and 400 KiB in the engine,
 * where a guest starts in 6 ms and the engine has 300 KiB.
 */
#ifndef CONTROL_HTTP_H
#define CONTROL_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

#define HTTP_HEAD_MAX	8192u		/* bytes, the empty line included */
#define HTTP_BODY_MAX	65536u
#define HTTP_BODY_LARGE	(8u << 20)	/* of rules, below HTTP_LARGE_PATH */
#define HTTP_LARGE_PATH	"/v1/firewall/"
#define HTTP_MORE	(-1)

/* Bytes lent from the buffer that was read; NULL and 0 if absent. */
struct http_text {
	const char *p;
	size_t len;
};

struct http_request {
	struct http_text method, path;	/* path: without query */
	struct http_text upgrade;
	struct http_text body;
};

struct http_response {
	int status;
	struct http_text body;
	size_t bytes;			/* head and body together */
};

/**
 * http_request_parse() - read a request
 * @buf:	what has come so far, borrowed; anything
 * @out:	filled on success only; lent from @buf
 *
 * Return: 0 if it is whole; HTTP_MORE if it is not; else the status to
 * refuse it with: 400, 413 (body too long), 431 (head too long), 501
 * (Transfer-Encoding), 505 (not HTTP/1).
 */
MUST int http_request_parse(const char *buf, size_t len,
			    struct http_request *out);

/*
 * The same for a response. 0, HTTP_MORE, or 400 if it is none. A body may
 * be body_max bytes long. Of status 101 there is no body: what follows the
 * head is the other protocol's.
 */
MUST int http_response_parse(const char *buf, size_t len, size_t body_max,
			     struct http_response *out);

/*
 * A request, or a response; body is text, NULL for none. Allocated, *len
 * set; NULL: no memory. problem: the body is a problem object (RFC 9457).
 */
MUST char *http_request_make(const char *method, const char *path,
			     const char *upgrade, const char *body,
			     size_t *len);
MUST char *http_response_make(int status, const char *body, bool problem,
			      size_t *len);
/* 101: what comes next is `protocol`. */
MUST char *http_switch_make(const char *protocol, size_t *len);

/* "Not Found" of 404; "Error" if we have no word for it. */
const char *http_reason(int status);

bool http_is(struct http_text text, const char *word);

#endif
