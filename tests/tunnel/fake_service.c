/*
 * A fake service in place of the real one (see fake_service.h).
 */
#include "fake_service.h"

#include "exits.h"

#include <string.h>
#include <unistd.h>

volatile sig_atomic_t fake_signals;
int fake_alone, fake_orphaned;

static struct settings settings;
static struct tunnel_settings tunnel;
static struct worker_counters workers[2];
static uv_loop_t loop;
static int killed;
struct admin_view fake_view;

static int
fake_reload(void *service)
{
    (void)service;
    return EXIT_KEY;
}

static unsigned
fake_kill(void *service, const struct kill_request *kill)
{
    (void)service;
    if (kill->by != KILL_ID || kill->id != (1ull << 48 | 7) || killed)
        return 0;
    killed = 1;
    return 1;
}

static void
fake_sessions(void *service, session_printer *print, void *out)
{
    static const uint8_t id[DUET_SECRET_ID_SIZE] = {0xab};
    struct session_row session = {.id = 1ull << 48 | 7,
                                  .tunnel = "web",
                                  .state = "open",
                                  .target = "\x1b\"host\":1",
                                  .secret_id = id,
                                  .refreshes = 3,
                                  .bytes_in = 1ull << 40,
                                  .age_ms = 1500};
    struct sockaddr_storage from = {.ss_family = AF_UNIX};

    (void)service;
    session.from = (const struct sockaddr *)&from;
    if (!killed)
        print(&session, out);
}

void
fake_service_reset(void)
{
    static char name[] = "web", address[] = "127.0.0.1:1", *addresses[] = {address};

    memset(workers, 0, sizeof workers);
    killed = 0;
    tunnel = (struct tunnel_settings){.name = name, .side = TUNNEL_SERVER};
    tunnel.listen = tunnel.targets = (struct strlist){addresses, 1};
    settings = (struct settings){.tunnels = &tunnel, .tunnel_count = 1};
    for (unsigned w = 0; w < 2; w++) {
        workers[w].process =
            (struct process_counters){.pid = 10 + w, .started_unix_ms = 1500, .reloads = w};
        struct counters *row = &workers[w].tunnels[w]; /* not the same row in both */
        memcpy(row->name, "web", 4);
        row->accepted = 3 + w;
        row->bytes_in = 100;
        row->bytes_out = 5;
        row->open = 1;
    }
    fake_view = (struct admin_view){.loop = &loop,
                                    .settings = &settings,
                                    .counted = workers,
                                    .worker = fake_alone ? 0 : 1,
                                    .workers = fake_alone ? 1 : 2,
                                    .supervisor = getppid(),
                                    .each_session = fake_sessions,
                                    .kill = fake_kill,
                                    .reload = fake_reload};
    if (fake_alone)
        fake_view.supervisor = 0;
    if (fake_orphaned)
        fake_view.supervisor = getpid();
}
