/*
 * A fake service in place of the real one; see fake_service.h.
 */
#include "fake_service.h"

#include "exits.h"

#include <string.h>
#include <unistd.h>

struct service {
    uv_loop_t loop;
    struct settings settings;
    struct tunnel_settings tunnel;
    struct worker_counters workers[2];
    int killed;
};

volatile sig_atomic_t fake_signals;

static struct service service;
struct service *const fake_service = &service;
uv_loop_t *const fake_loop = &service.loop;
int fake_alone, fake_orphaned;

uv_loop_t *
service_loop(struct service *s)
{
    return &s->loop;
}

const struct settings *
service_settings(const struct service *s)
{
    return &s->settings;
}

unsigned
service_worker(const struct service *s)
{
    (void)s;
    return fake_alone ? 0 : 1;
}

unsigned
service_workers(const struct service *s)
{
    (void)s;
    return fake_alone ? 1 : 2;
}

const struct counters *
service_counters(const struct service *s, unsigned worker, size_t row)
{
    return &s->workers[worker].tunnels[row];
}

const struct process_counters *
service_process(const struct service *s, unsigned worker)
{
    return &s->workers[worker].process;
}

pid_t
service_supervisor(const struct service *s)
{
    (void)s;
    return fake_alone ? 0 : fake_orphaned ? getpid() : getppid();
}

int
service_draining(const struct service *s)
{
    (void)s;
    return fake_signals > 0;
}

int
service_reload(struct service *s)
{
    (void)s;
    return EXIT_KEY;
}

int
service_kill(struct service *s, uint64_t id)
{
    if (id != (1ull << 48 | 7) || s->killed)
        return -1;
    s->killed = 1;
    return 0;
}

void
service_each(struct service *s, void (*tell)(const struct service_session *, void *), void *context)
{
    static const uint8_t id[DUET_SECRET_ID_SIZE] = {0xab};
    struct service_session session = {.id = 1ull << 48 | 7,
                                      .tunnel = "web",
                                      .state = "open",
                                      .target = "\x1b\"host\":1",
                                      .secret_id = id,
                                      .bytes_in = 1ull << 40,
                                      .age_ms = 1500};
    struct sockaddr_storage from = {.ss_family = AF_UNIX};

    session.from = &from;
    if (!s->killed)
        tell(&session, context);
}

void
fake_service_reset(void)
{
    static char name[] = "web", address[] = "127.0.0.1:1", *addresses[] = {address};

    memset(&service, 0, sizeof service);
    service.tunnel = (struct tunnel_settings){.name = name, .side = TUNNEL_SERVER};
    service.tunnel.listen = service.tunnel.targets = (struct strlist){addresses, 1};
    service.settings = (struct settings){.tunnels = &service.tunnel, .tunnel_count = 1};
    for (unsigned w = 0; w < 2; w++) {
        service.workers[w].process =
            (struct process_counters){.pid = 10 + w, .started_unix_ms = 1500, .reloads = w};
        struct counters *row = &service.workers[w].tunnels[w]; /* not the same row in both */
        memcpy(row->name, "web", 4);
        row->accepted = 3 + w;
        row->bytes_in = 100;
        row->bytes_out = 5;
        row->open = 1;
    }
}
