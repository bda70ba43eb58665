"""Texts of files that an image has of its own, by what a rule says that it `generates`.

Those of services and protocols are for roots that have none.

Source: services(5), protocols(5); numbers: IANA, Service Name and Transport Protocol Port Number
Registry. The lines of users and nsswitch.conf depend on what the user asks for, and are not here.
"""

NSSWITCH, SERVICES, USER = "nsswitch", "services", "user"
_PROTOCOLS = """\
ip 0 IP
icmp 1 ICMP
igmp 2 IGMP
tcp 6 TCP
udp 17 UDP
ipv6 41 IPv6
gre 47 GRE
esp 50 ESP
ah 51 AH
ipv6-icmp 58 IPv6-ICMP
ospf 89 OSPFIGP
vrrp 112 VRRP
sctp 132 SCTP
udplite 136 UDPLite
"""
_SERVICES = """\
echo 7/tcp
echo 7/udp
discard 9/tcp
discard 9/udp
daytime 13/tcp
ftp-data 20/tcp
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
time 37/tcp
whois 43/tcp
domain 53/tcp
domain 53/udp
bootps 67/udp
bootpc 68/udp
tftp 69/udp
gopher 70/tcp
finger 79/tcp
http 80/tcp www
kerberos 88/tcp
kerberos 88/udp
pop3 110/tcp
sunrpc 111/tcp portmapper
sunrpc 111/udp portmapper
auth 113/tcp ident
nntp 119/tcp
ntp 123/udp
imap2 143/tcp imap
snmp 161/udp
snmp-trap 162/udp
bgp 179/tcp
irc 194/tcp
ldap 389/tcp
ldap 389/udp
https 443/tcp
https 443/udp
microsoft-ds 445/tcp
submissions 465/tcp ssmtp smtps
syslog 514/udp
printer 515/tcp
nntps 563/tcp
submission 587/tcp
ldaps 636/tcp
rsync 873/tcp
domain-s 853/tcp
ftps 990/tcp
imaps 993/tcp
pop3s 995/tcp
socks 1080/tcp
openvpn 1194/udp
mqtt 1883/tcp
radius 1812/udp
nfs 2049/tcp
nfs 2049/udp
mysql 3306/tcp
ms-wbt-server 3389/tcp
sip 5060/tcp
sip 5060/udp
xmpp-client 5222/tcp
postgresql 5432/tcp
amqps 5671/tcp
amqp 5672/tcp
redis 6379/tcp
http-alt 8080/tcp webcache
secure-mqtt 8883/tcp
git 9418/tcp
"""
TEXTS = {SERVICES: {"/etc/protocols": _PROTOCOLS, "/etc/services": _SERVICES}}
KINDS = (NSSWITCH, USER, *TEXTS)
