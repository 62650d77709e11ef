/* SPDX-License-Identifier: MIT
 *
 * fuzz.c - what the fuzz targets share.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void fuzz_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s (%s)\n", file, line, what, mp_error_detail());
    fflush(stderr);
    abort();
}

int fuzz_result(int result)
{
    static const struct {
        int code;
    } errors[] = {
#define X(name, number, sentence) {name},
        MP_ERRORS(X)
#undef X
    };
    if (result >= 0) return result;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == result) return result;
    fprintf(stderr, "%d has no name\n", result);
    abort();
}

void fuzz_check_balance(void)
{
    static mp_stats first;
    static bool known;
    mp_stats now;
    FUZZ_CHECK(mp_get_stats(&now) == 0);
    now.bytes_reserved = 0;
    if (!known) first = now;
    known = true;
    for (size_t at = 0; at < sizeof now; at += sizeof(uint32_t)) {
        const unsigned char *is = (const unsigned char *)&now + at, *was = (const unsigned char *)&first + at;
        if (at > offsetof(mp_stats, results) || memcmp(is, was, sizeof(uint32_t)) == 0) continue;
        fprintf(stderr, "left over: the mp_stats differ at byte %zu\n", at);
        abort();
    }
}
