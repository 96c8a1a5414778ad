import {
  IconAffiliate,
  IconBox,
  IconCamera,
  IconCube,
  IconDeviceSdCard,
  IconKey,
  IconNetwork,
  IconPhoto,
  IconScale,
  IconServer,
  IconShield,
  IconTopologyStar3,
  IconWorld,
} from '@tabler/icons-react';

const icons: Record<string, typeof IconBox> = {
  vpc: IconNetwork,
  subnet: IconAffiliate,
  securitygroup: IconShield,
  keypair: IconKey,
  vm: IconServer,
  disk: IconDeviceSdCard,
  snapshot: IconCamera,
  customimage: IconPhoto,
  publicip: IconWorld,
  nic: IconTopologyStar3,
  nlb: IconScale,
  cluster: IconCube,
};

/** KindIcon is a kind's picture; kinds that have none of their own share one. */
export function KindIcon({ kind, size = 16 }: { kind: string; size?: number }) {
  const Icon = icons[kind] ?? IconBox;
  return <Icon size={size} aria-hidden />;
}
