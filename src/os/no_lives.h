/* SPDX-License-Identifier: MIT
 *
 * no_lives.h - lives (os.h) on a system that has nothing like them: nothing can be told. A port's sleep.c includes it for
 * all of these functions.
 */
#ifndef MP_OS_NO_LIVES_H
#define MP_OS_NO_LIVES_H

#include "os/os.h"

int mp_os_life_begin(void *life)
{
    (void)life;
    return mp_os_enotsup;
}

void mp_os_life_end(void *life)
{
    (void)life;
}

void mp_os_life_forked(void)
{
}

bool mp_os_life_is_over(const void *life)
{
    (void)life;
    return false;
}

bool mp_os_life_lasts(const void *life)
{
    (void)life;
    return false;
}

bool mp_os_life_is_same(const void *one, const void *other)
{
    (void)one, (void)other;
    return false;
}

void mp_os_life_tell(void *life)
{
    (void)life;
}

int mp_os_word_wait_beside(_Atomic uint32_t *word, uint32_t value, void *const *lives, size_t count, int64_t deadline)
{
    (void)word, (void)value, (void)lives, (void)count, (void)deadline;
    return mp_os_enotsup;
}

#endif
