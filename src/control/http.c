/* SPDX-License-Identifier: MIT */
#include "control/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What of a head matters to us. */
struct head {
	struct http_text line;		/* the first */
	struct http_text upgrade;
	bool has_host, has_length, has_coding;
	size_t length;			/* of the body */
	size_t bytes;			/* of the head */
};

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 101, "Switching Protocols" }, { 200, "OK" }, { 202, "Accepted" },
	{ 400, "Bad Request" }, { 404, "Not Found" },
	{ 405, "Method Not Allowed" }, { 409, "Conflict" },
	{ 413, "Content Too Large" }, { 426, "Upgrade Required" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
	{ 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" },
};

const char *http_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

bool http_is(struct http_text text, const char *word)
{
	return text.len == strlen(word) && !memcmp(text.p, word, text.len);
}

static bool is_field(struct http_text name, const char *word)
{
	return name.len == strlen(word) &&
	       !strncasecmp(name.p, word, name.len);
}

/* The next line, its end taken off; false: it has not come yet. */
static bool next_line(const char **at, const char *end, struct http_text *out)
{
	const size_t left = (size_t)(end - *at);
	const char *newline = left ? memchr(*at, '\n', left) : NULL;

	if (!newline)
		return false;
	*out = (struct http_text){ *at, (size_t)(newline - *at) };
	if (out->len && out->p[out->len - 1] == '\r')
		out->len--;
	*at = newline + 1;
	return true;
}

static struct http_text trimmed(struct http_text t)
{
	while (t.len && (*t.p == ' ' || *t.p == '\t')) {
		t.p++;
		t.len--;
	}
	while (t.len && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
		t.len--;
	return t;
}

/* RFC 9110 section 8.6: digits alone. false: none, or far too many. */
static bool number(struct http_text t, size_t *out)
{
	size_t n = 0;

	if (!t.len || t.len > 9)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
		n = n * 10 + (size_t)(t.p[i] - '0');
	}
	*out = n;
	return true;
}

/* RFC 9112 section 5. false: not a field, or not one that may be there. */
static bool take_field(struct head *h, struct http_text line)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct http_text name = { line.p, 0 }, value;

	if (!colon || colon == line.p)
		return false;
	name.len = (size_t)(colon - line.p);
	/* A blank before the colon, or a folded line: section 5.1, 5.2. */
	if (memchr(name.p, ' ', name.len) || memchr(name.p, '\t', name.len))
		return false;
	value = trimmed((struct http_text){ colon + 1,
					    line.len - name.len - 1 });
	if (is_field(name, "host")) {
		if (h->has_host)
			return false;
		h->has_host = true;
	} else if (is_field(name, "content-length")) {
		if (h->has_length || !number(value, &h->length))
			return false;
		h->has_length = true;
	} else if (is_field(name, "transfer-encoding")) {
		h->has_coding = true;
	} else if (is_field(name, "upgrade")) {
		h->upgrade = value;
	}
	return true;
}

/* 0, HTTP_MORE, 400, or 431. */
static int read_head(const char *buf, size_t len, struct head *out)
{
	const size_t most = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	const char *at = buf, *end = buf + most;
	struct head h = { 0 };
	struct http_text line;

	for (bool first = true; next_line(&at, end, &line); first = false) {
		if (memchr(line.p, '\0', line.len))
			return 400;
		if (first) {
			h.line = line;
		} else if (line.len) {
			if (!take_field(&h, line))
				return 400;
		} else {
			h.bytes = (size_t)(at - buf);
			*out = h;
			return 0;
		}
	}
	return most == HTTP_HEAD_MAX ? 431 : HTTP_MORE;
}

/* The word up to the next blank; *line is moved behind that. */
static struct http_text word(struct http_text *line)
{
	const char *blank = line->len ? memchr(line->p, ' ', line->len) : NULL;
	const size_t n = blank ? (size_t)(blank - line->p) : line->len;
	const struct http_text w = { line->p, n };

	line->p += n + !!blank;
	line->len -= n + !!blank;
	return w;
}

/* RFC 9112 section 3.2: a path, or a URL with one; a query is cut off. */
static bool take_target(struct http_text target, struct http_text *path)
{
	static const char scheme[] = "http://";
	const size_t n = sizeof(scheme) - 1;
	const char *query;

	if (target.len > n && !memcmp(target.p, scheme, n)) {
		const char *slash = memchr(target.p + n, '/', target.len - n);

		if (!slash)
			return false;
		target.len -= (size_t)(slash - target.p);
		target.p = slash;
	}
	if (!target.len || *target.p != '/')
		return false;
	query = memchr(target.p, '?', target.len);
	if (query)
		target.len = (size_t)(query - target.p);
	*path = target;
	return true;
}

/* Rules may be many. */
static size_t body_max(struct http_text path)
{
	const size_t n = sizeof(HTTP_LARGE_PATH) - 1;

	return path.len > n && !memcmp(path.p, HTTP_LARGE_PATH, n) ?
	       HTTP_BODY_LARGE : HTTP_BODY_MAX;
}

int http_request_parse(const char *buf, size_t len, struct http_request *out)
{
	struct http_request r = { 0 };
	struct http_text version, line;
	struct head h;
	const int rc = read_head(buf, len, &h);

	if (rc)
		return rc;
	line = h.line;
	r.method = word(&line);
	if (!r.method.len || !take_target(word(&line), &r.path))
		return 400;
	version = line;
	if (version.len != 8 || memcmp(version.p, "HTTP/", 5))
		return 400;
	if (memcmp(version.p, "HTTP/1.", 7))
		return 505;
	if (version.p[7] == '1' && !h.has_host)
		return 400;		/* RFC 9112 section 3.2 */
	if (h.has_coding)
		return 501;
	if (h.length > body_max(r.path))
		return 413;
	if (len - h.bytes < h.length)
		return HTTP_MORE;
	r.upgrade = h.upgrade;
	r.body = (struct http_text){ buf + h.bytes, h.length };
	*out = r;
	return 0;
}

int http_response_parse(const char *buf, size_t len, size_t body_max,
			struct http_response *out)
{
	struct http_text line;
	struct head h;
	size_t status;
	const int rc = read_head(buf, len, &h);

	if (rc)
		return rc == HTTP_MORE ? rc : 400;
	line = h.line;
	if (line.len < 12 || memcmp(line.p, "HTTP/1.", 7))
		return 400;
	word(&line);
	if (!number(word(&line), &status) || status < 100 || status > 599)
		return 400;
	if (h.has_coding || h.length > body_max)
		return 400;
	if (status == 101)
		h.length = 0;
	if (len - h.bytes < h.length)
		return HTTP_MORE;
	*out = (struct http_response){
		.status = (int)status,
		.body = { buf + h.bytes, h.length },
		.bytes = h.bytes + h.length,
	};
	return 0;
}

char *http_request_make(const char *method, const char *path,
			const char *upgrade, const char *body, size_t *len)
{
	char *text;
	const int n = asprintf(&text,
		"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: %s\r\n"
		"%s%s%sContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%s", method, path,
		upgrade ? "upgrade" : "close", upgrade ? "Upgrade: " : "",
		upgrade ? upgrade : "", upgrade ? "\r\n" : "",
		body ? strlen(body) : 0, body ? body : "");

	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? NULL : text;
}

char *http_response_make(int status, const char *body, bool problem,
			 size_t *len)
{
	char *text;
	const int n = asprintf(&text,
		"HTTP/1.1 %d %s\r\nConnection: close\r\n"
		"Content-Type: application/%s\r\nContent-Length: %zu\r\n"
		"\r\n%s", status, http_reason(status),
		problem ? "problem+json" : "json", strlen(body), body);

	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? NULL : text;
}

char *http_switch_make(const char *protocol, size_t *len)
{
	char *text;
	const int n = asprintf(&text,
		"HTTP/1.1 101 %s\r\nConnection: upgrade\r\nUpgrade: %s\r\n"
		"\r\n", http_reason(101), protocol);

	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? NULL : text;
}
