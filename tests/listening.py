"""Where processes listen: on this machine's own address, or for everybody."""

import ipaddress

import psutil


def open_to_others(processes: list[psutil.Process]) -> list[str]:
    """The addresses other than loopback on which processes listen, with who does.

    Args:
        processes: those that are looked at, with all below them.
    """
    found = []
    for process in {one for top in processes for one in (top, *top.children(recursive=True))}:
        for connection in process.net_connections("inet"):
            if connection.status != psutil.CONN_LISTEN:
                continue
            if not ipaddress.ip_address(connection.laddr.ip).is_loopback:
                found.append(f"{connection.laddr.ip}:{connection.laddr.port} {process.cmdline()}")
    return found
