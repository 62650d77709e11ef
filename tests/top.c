/* SPDX-License-Identifier: MIT
 *
 * top.c - mp-top, run by its tests.
 */
#include "top.h"

#include <stdio.h>
#include <string.h>

void top_run(struct outcome *outcome, const char *const *arguments)
{
#ifdef _WIN32
    support_program(outcome, "mp-top", arguments); /* all programs lie in one folder */
#else
    support_program_at(outcome, MP_TOP, arguments);
#endif
}

struct json *top_json(struct outcome *outcome)
{
    size_t wrong;
    struct json *json = json_read(outcome->text, strlen(outcome->text), &wrong);
    if (!json || json->type != JSON_LIST)
        print_error("no JSON from byte %lu on:\n%s\n", (unsigned long)wrong, outcome->text);
    assert_non_null(json);
    assert_int_equal(json->type, JSON_LIST);
    return json;
}

const char *top_pid(void)
{
    static char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)mp_process_pid(mp_current_process()));
    return text;
}

void top_begin(struct top_look *look)
{
    const char *const arguments[] = {"--json", "--interval", "0.02", top_pid(), NULL};
    top_run(&look->outcome, arguments);
    if (look->outcome.code) print_error("%s\n", look->outcome.text);
    assert_int_equal(look->outcome.code, 0);
    look->all = top_json(&look->outcome);
    assert_int_equal(json_count(look->all), 1);
    look->family = look->all->first;
}

void top_end(struct top_look *look)
{
    json_free(look->all);
    look->all = NULL;
}

void top_until(struct top_look *look, bool (*is_so)(const struct json *family))
{
    int64_t end = support_now() + LIMIT;
    for (;;) {
        top_begin(look);
        if (is_so(look->family)) return;
        top_end(look);
        if (support_now() < end) continue;
        const char *const arguments[] = {"--all", top_pid(), NULL};
        top_run(&look->outcome, arguments);
        print_error("it does not come to that:\n%s\n", look->outcome.text);
        fail();
    }
}

const struct json *top_process(const struct json *family, const char *name)
{
    return json_find(json_get(family, "processes"), "name", name);
}

const struct json *top_wait(const struct json *family, const char *process)
{
    return json_find(json_get(family, "waits"), "process", process);
}

const struct json *top_object(const struct json *family, const char *kind, const char *name)
{
    return json_find(json_get(family, kind), "name", name);
}
