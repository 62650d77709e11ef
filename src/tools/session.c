/* SPDX-License-Identifier: MIT
 *
 * session.c - families found, and looked at again and again.
 */
#include "tools/top.h"

#include <stdlib.h>

/* Who leads it, as long as that lives; or one of those who have it. */
static void name_view(struct top_view *view)
{
    const struct top_process *leader = top_leader(&view->now);
    char command[sizeof view->command] = "";
    view->pid = leader ? leader->pid : 0;
    bool lives = leader && leader->state != TOP_ENDED && leader->state != TOP_DEAD && !leader->elsewhere;
    if (!lives && view->view->count) view->pid = view->view->viewers[0].pid;
    if (view->pid) mp_os_process_command(view->pid, command, sizeof command);
    top_clean(command, sizeof command - 1, view->command, sizeof view->command);
}

/* False: no memory. */
static bool look(struct top_view *view)
{
    top_family_free(&view->before);
    view->before = view->now;
    view->twice = view->before.kind == TOP_LIBMP;
    if (!top_family_look(view->view, &view->now)) {
        view->now = (struct top_family){.kind = TOP_NONE};
        return false;
    }
    top_family_relate(view->twice ? &view->before : NULL, &view->now);
    if (!view->twice) name_view(view);
    return true;
}

static void drop(struct top_session *session, size_t at)
{
    top_family_free(&session->views[at].before);
    top_family_free(&session->views[at].now);
    for (size_t i = at + 1; i < session->count; i++) session->views[i - 1] = session->views[i];
    session->count--;
}

static bool is_shown(const struct top_view *view)
{
    bool saved = !view->view->count;
    return view->now.kind == TOP_FOREIGN || (view->now.kind == TOP_LIBMP && (saved || top_is_alive(&view->now)));
}

bool top_session_look(struct top_session *session)
{
    for (size_t i = 0; i < session->count;) {
        if (!look(&session->views[i])) return false;
        if (is_shown(&session->views[i]))
            i++;
        else
            drop(session, i);
    }
    return true;
}

static bool has_process(const struct top_view *view, int64_t pid)
{
    for (size_t i = 0; i < view->view->count; i++)
        if (view->view->viewers[i].pid == pid) return true;
    for (size_t i = 0; i < view->now.process_count; i++)
        if (view->now.processes[i].pid == pid && view->now.processes[i].state != TOP_ENDED) return true;
    return false;
}

static int compare_views(const void *one, const void *other)
{
    int64_t a = ((const struct top_view *)one)->pid, b = ((const struct top_view *)other)->pid;
    return (a > b) - (a < b);
}

int top_session_open(const struct top_options *options, struct top_session *session)
{
    *session = (struct top_session){.count = 0};
    int error = options->file ? mp_os_views_open(options->file, &session->found)
                              : mp_os_views_find(options->pid, &top_mark, &session->found);
    /* A member that shows nothing itself, others tell of. */
    bool denied = session->found.denied;
    if (!error && options->pid && !session->found.count) {
        mp_os_views_close(&session->found);
        error = mp_os_views_find(0, &top_mark, &session->found);
        session->found.denied = denied;
    }
    if (error) return error;
    session->views = calloc(session->found.count + 1, sizeof *session->views);
    if (!session->views) return mp_os_enomem;
    for (size_t i = 0; i < session->found.count; i++)
        session->views[session->count++] = (struct top_view){.view = &session->found.at[i]};
    if (!top_session_look(session)) return mp_os_enomem;
    for (size_t i = session->count; options->pid && i-- > 0;)
        if (!has_process(&session->views[i], options->pid)) drop(session, i);
    if (session->count > 1) qsort(session->views, session->count, sizeof *session->views, compare_views);
    return 0;
}

void top_session_close(struct top_session *session)
{
    while (session->count) drop(session, session->count - 1);
    free(session->views);
    mp_os_views_close(&session->found);
    *session = (struct top_session){.count = 0};
}
