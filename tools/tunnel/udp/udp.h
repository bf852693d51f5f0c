/*
 * UDP through a tunnel: a client's socket of UDP is read by udp_port.c, which finds or begins the
 * flow of each datagram (udp_flow.h); udp_relay.c moves datagrams between the plain side and the
 * channel of an open flow; udp_end.c ends those whose service or address goes.
 */
#ifndef DUET_TUNNEL_UDP_H
#define DUET_TUNNEL_UDP_H

#include "udp_flow.h"

struct connection;
struct port;
struct service;

/** Read what has come to a client's socket, a turn's worth. */
void udp_port_read(struct port *port);

/** An open connection is one of datagrams from now on. Returns 0, or -1: no memory. */
int udp_relay_start(struct connection *connection);

/** Move the datagrams of one that is ready. May end it. */
void udp_relay_serve(struct connection *connection);

/* in timers.c */
/** Let a flow of datagrams end in order: CLOSE follows what is queued, and the peer's own CLOSE is
 * awaited for the time of a handshake. Datagrams of its source begin another one. */
void timers_end_flow(struct connection *connection, const char *why);

/** A reload: a client's flow whose address was withdrawn ends. Returns 1 when it is so; it may have
 * ended then. */
int udp_flow_withdraw(struct connection *connection);

/** 1 when a client's flow sends its replies by a listening socket, which has to stay open then. */
int udp_flows_hold_socket(const struct service *service);

/** The service ends, and with it a connection of datagrams. May end it. */
void udp_flow_drain(struct connection *connection);

#endif
