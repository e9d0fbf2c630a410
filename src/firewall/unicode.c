/* SPDX-License-Identifier: MIT */
#include "firewall/unicode.h"

#include <stdbool.h>
#include <string.h>

unsigned unicode_put(uint32_t c, uint8_t *p)
{
	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (uint8_t)(0xe0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		p[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | c >> 18);
	p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	p[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

static unsigned put_broken(uint8_t *p, unsigned *broken)
{
	++*broken;
	return unicode_put(UNICODE_BROKEN, p);
}

unsigned utf16_put(struct utf16 *u, uint16_t unit, uint8_t *p,
		   unsigned *broken)
{
	const bool low = (unit & 0xfc00) == 0xdc00;
	unsigned n = 0;

	if (u->high && low) {
		n = unicode_put(0x10000u + ((u->high & 0x3ffu) << 10) +
				(unit & 0x3ffu), p);
		u->high = 0;
		return n;
	}
	if (u->high)
		n = put_broken(p, broken);
	u->high = (unit & 0xfc00) == 0xd800 ? unit : 0;
	if (u->high)
		return n;
	return n + (low ? put_broken(p + n, broken) :
			  unicode_put(unit, p + n));
}

unsigned utf16_end(struct utf16 *u, uint8_t *p, unsigned *broken)
{
	const bool waits = u->high;

	u->high = 0;
	return waits ? put_broken(p, broken) : 0;
}

static size_t decode16(struct view in, bool big, uint8_t *out,
		       unsigned *broken)
{
	struct utf16 u = { 0 };
	size_t n = 0;

	for (size_t i = 0; i + 1 < in.len; i += 2)
		n += utf16_put(&u, (uint16_t)(in.p[i + !big] << 8 |
					      in.p[i + big]),
			       out + n, broken);
	n += utf16_end(&u, out + n, broken);
	if (in.len % 2)
		n += put_broken(out + n, broken);
	return n;
}

/* Bytes of the character at p; 0 if it is none (RFC 3629 section 4). */
static size_t utf8_length(const uint8_t *p, size_t left)
{
	const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 :
			 p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
			 p[0] < 0xf5 ? 4 : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static size_t decode8(struct view in, uint8_t *out, unsigned *broken)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len;) {
		const size_t len = utf8_length(in.p + i, in.len - i);

		if (len) {
			memcpy(out + n, in.p + i, len);
			n += len;
			i += len;
		} else {
			n += put_broken(out + n, broken);
			i++;
		}
	}
	return n;
}

size_t unicode_decode(struct view in, uint8_t *out, unsigned *broken)
{
	const uint8_t *p = in.p;
	const bool two = in.len >= 2;
	const bool little = two && p[0] == 0xff && p[1] == 0xfe;
	const bool big = two && p[0] == 0xfe && p[1] == 0xff;
	const size_t mark = little || big ? 2 :
		in.len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3) ? 3 : 0;

	in.p += mark;
	in.len -= mark;
	if (little || (!mark && two && p[0] && !p[1]))
		return decode16(in, false, out, broken);
	if (big || (!mark && two && !p[0] && p[1]))
		return decode16(in, true, out, broken);
	return decode8(in, out, broken);
}
